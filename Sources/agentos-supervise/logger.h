#pragma once
// As the logger of a container: containerd's shim starts it with "log" and "BYTES:FILES:DIRECTORY", the container's
// outputs on descriptors 3 and 4, and waits until descriptor 5 is closed. It ends with the outputs.
int run_logger(char *settings);
