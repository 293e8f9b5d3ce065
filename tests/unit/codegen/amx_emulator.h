// AMX on machines without it: the instructions that nnc's code is made of, emulated where they trap.
#pragma once

#include <cstdint>

namespace nnc::testing {

// From here on tile instructions run in this process: natively where the machine has them and the kernel permits it,
// else in a handler of SIGILL that decodes LDTILECFG, STTILECFG, TILERELEASE, TILEZERO, TILELOADD(T1), TILESTORED and
// TDPBF16PS, does what Intel's manual says (a fault where that faults) and steps over them. Each thread has its own
// tiles. Any other illegal instruction ends the process as before. False if the machine lacks AVX-512, which the rest
// of the code needs: nothing is changed then.
bool enable_amx();

// Products of tiles (TDPBF16PS) emulated so far, by all threads; meaningless where AMX is native.
int64_t emulated_products();
bool amx_is_emulated();

}  // namespace nnc::testing
