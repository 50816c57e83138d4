"""SMAPI as it is spoken: SOAP envelopes, credentials, faults and results.

Owns every byte of XML that Latchkey reads or writes, and the spelling of every SMAPI name. It must not know
links, tokens, accounts or HTTP: it turns bytes into a `Call`, and a result or a `Fault` into bytes, and
decides nothing else. The modules stand on each other in this order, downwards only:

    envelope      bytes -> Call; result or Fault -> bytes
    rendering     one template per result type
    credentials   where a token, a session id, a device or a household may be found
    document      the hardened XML reader
    methods       the names of SMAPI's methods, and SOAPAction
    faults        one class per fault
    results       what may be answered, as frozen values
    text          escaping
"""
