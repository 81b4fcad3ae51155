// The agent's whole process tree: everything below the supervisor, to which orphans come because it is the subreaper.
#pragma once

// Sends a signal to all of it. One round: what is forked meanwhile is met by the next.
void signal_tree(int signal);
// Ends all of it and waits until it has ended. The cgroups of the run are not touched: a command beside an agent has
// the agent's.
void kill_tree(void);
