"""Where triggers run: pre-heated worker processes, and a pool inside the host's own process, behind one interface.

runner     what the layers above hand in: how a trigger is found, called, and its result written
attempt    one attempt of one operation, from inputs to status update
drive      how an attempt is run: a coroutine in a context of its own, or a plain call outside of the loop
current    the attempt as its trigger sees it: what that may ask, and say
progress   how few of its words about progress travel
capture    what it prints and logs
around     what the application wraps around it
failure    what people read about a failure
slots      the places where attempts run, and the queue before them; the same in a worker and in the host
channel    messages and frames between host and worker
line       the worker's end of it
process    the worker's own side: ``serve``
memory     how much memory it holds
marks      what it runs right now, in memory that outlives it
ledger     what one worker holds, by order
child      the host's side of one worker process
processes  ProcessPool
inline     InlinePool
pool       the interface of both
"""
