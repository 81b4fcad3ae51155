#pragma once
// Supervises one agent, from its claim to its exit. Returns the supervisor's own exit code.
int run_agent(void);
