#include "driver/commands.h"

int main(int argc, char** argv) { return nnc::run_nnc(argc, argv); }
