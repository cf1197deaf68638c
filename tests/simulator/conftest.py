import asyncio

import uvloop

BYTES = {"test_server", "test_faults"}  # what reaches the wire may depend on the loop


def pytest_asyncio_loop_factories(config, item):
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if item.path.stem in BYTES else {"asyncio": asyncio.new_event_loop}
