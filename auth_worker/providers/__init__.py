"""Identity sources, one file each; base is the protocol, local the accounts of this installation itself."""
