"""`/api`: what can be asked and done with HTTP and JSON, in one shape, written down as OpenAPI.

Each noun has its module, with handlers that ask the calls of the contract, and `ROUTES`. `route` makes of those what
the application answers, `openapi` what is written of it; so no path can be in the one and not in the other. It must not
know how any call is answered.

Start reading at `route`, then a noun.
"""
