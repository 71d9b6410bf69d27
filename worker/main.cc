#include "worker/runtime/cli.h"

int main(int argc, char** argv) { return millrace::worker::RunCli(argc, argv); }
