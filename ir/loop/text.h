// Loop IR as text, its verifier and its interpreter.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/loop/loop.h"

namespace nnc {

std::string print(const Kernel& kernel, std::span<const std::string> files = {});
std::string print(const LoopModule& module);

// Reads what print(Kernel) wrote. Returns "" or "line N: what is wrong".
std::string parse_kernel(std::string_view text, Kernel& kernel);

// Every broken rule, one line each, naming the statement's value or buffer and the rule: "b: L2: index 1 reaches 65 of
// 64". Rules L1 … L9 as documented in verifier.cpp.
std::vector<std::string> verify(const Kernel& kernel);
std::vector<std::string> verify(const LoopModule& module);

// Runs items [lo, hi) of the kernel statement by statement, in the element types of the buffers, rounding as the native
// code does: results are bit-equal to it. `buffers` are the bases, as a call of the native kernel gets them.
void interpret(const Kernel& kernel, std::span<void* const> buffers, int64_t lo, int64_t hi);

// Runs a whole entry as `threads` threads would, one after another within each phase. Segments as in nnc_context.
void interpret(const LoopModule& module, const LoopEntry& entry, void* state, void* arena, void* scratch,
               std::span<void* const> io, int64_t threads = 1);

// As above, with an owner for each byte and phase: reports every byte that one thread writes and another touches in the
// same phase.
std::vector<std::string> find_races(const LoopModule& module, const LoopEntry& entry, void* state, void* arena,
                                    void* scratch, std::span<void* const> io, int64_t threads);

}  // namespace nnc
