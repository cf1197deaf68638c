"""The HTTP surface; aiohttp.web lives only here.

`server` accepts connections, `dispatch` finds the handler of a URL, `ingress` turns a request into a Call and reads its
body, `downstream` writes answers, `refusal` the errors; `listing`, `ops` and `cors` are what is served beside calls.
"""
