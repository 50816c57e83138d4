"""The bus: base is the port, memory and rabbit are its adapters and do not know each other."""
