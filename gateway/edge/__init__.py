"""The HTTP surface; aiohttp.web lives only here.

`server` accepts connections, `parsing` is about what aiohttp can't parse, `head` about what it should not have,
`request` is what comes on them, with its body, `dispatch` finds the handler of a URL, `ingress` turns a request into a
Call, `downstream` writes answers, `refusal` the errors; `listing`, `ops` and `cors` are what is served beside calls.
"""
