"""llama.cpp's own HTTP server (from the xllamacpp wheel) with `model`, in the foreground: `serve.py PORT SLOTS`."""

import signal
import sys
import tempfile
from pathlib import Path

import xllamacpp
from model import CONTEXT, NAME, write_model

port, slots = map(int, sys.argv[1:])
parameters = xllamacpp.CommonParams()
parameters.model_alias = {NAME}
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.n_ctx = CONTEXT
parameters.n_parallel = slots
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
parameters.fit_params = False
with tempfile.TemporaryDirectory() as folder:
    parameters.model.path = str(Path(folder, f"{NAME}.gguf"))
    write_model(Path(parameters.model.path))
    server = xllamacpp.Server(parameters)
sys.stdout.write(f"listening on {server.listening_address}\n")
sys.stdout.flush()
signal.pause()
