"""What a call costs in counts, each with a bound: a guard against regressions that no busy machine can upset.

bounds          the table; the only place with numbers
calls           an upstream and clients that count: nothing is sent before what came before it has arrived
running         `gateway serve` under another program
trace           its system calls, by strace
callgrind       its instructions, by valgrind
weighed         the gateway, telling on SIGUSR1 what its calls left behind

All that was measured, beside its bound: `make test ARGS="tests/counts -rP"`.
"""
