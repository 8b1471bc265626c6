"""Maintenance: what is deleted by age or by number, so that the tables do not grow without end.

sweep                         what all sweeps have in common
core_job_sweeper              ended operations, each status after its own time
db_event_log_trimmer          events that were Processed
failure_operation_heartbeat   FAILED operations, by the rule of the DAM framework
log_trimmer                   entries of the log of commands
core_job_manager              gives each sweep its turn
"""
