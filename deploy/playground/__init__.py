"""The playground: plays the Sonos app in the browser, and shows what happens inside. Embedded and development mode only."""
