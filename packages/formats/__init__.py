"""One module for each format that people install Switchhook from; `packages/build` calls them."""
