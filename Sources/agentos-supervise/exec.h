#pragma once
// Runs one more command where the agent lives: in its cgroups, as its user. Nothing of it outlives the command, the
// time limit (0: none) or a closed report (the daemon lost interest). Reports "exited CODE" or "timeout".
int run_command(long timeout_ms);
