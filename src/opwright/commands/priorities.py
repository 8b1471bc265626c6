"""The order of the pipeline, from the outside in. Higher numbers are called first; an application's filters stand in between.

11,000  NestedOperationLogger                 records commands that are called from within another
10,000  InMemoryOperationScopeProvider        opens transient scopes; completes whatever was committed
 1,000  DbOperationScopeProvider              opens durable scopes: one transaction around the command
   100  InvalidatingCommandCompletionHandler  runs the invalidation of what has completed
     0  the handler
"""

NESTED_LOGGER = 11_000
IN_MEMORY_SCOPE = 10_000
DB_SCOPE = 1_000
INVALIDATION = 100
HANDLER = 0
