"""Identity sources, one file each; base is the protocol, opening the table of types, web the way out."""
