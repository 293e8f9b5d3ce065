// Shared parts of the Loop IR verifier. Internal to ir/loop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/loop/loop.h"

namespace nnc {

// The walk through a kernel: what is bound, defined and visible at the current statement.
struct LoopChecker {
  enum State : uint8_t { undefined, visible, gone };

  const Kernel& kernel;
  std::vector<std::string>& errors;
  std::vector<bool> bound = {};                   // per variable
  std::vector<State> state = {};                  // per value
  std::vector<const LoopStmt*> definition = {};   // per value, once defined
  std::vector<VarId> unrolled = {};               // enclosing unrolled indices, outermost first
  std::vector<std::vector<ValueId>> scopes = {};  // per open block that ends lives: what it defines
  bool in_items = false;
  bool has_items = false;
  bool never_runs = false;                   // inside an empty range: nothing is accessed
  std::vector<const LoopStmt*> stores = {};  // of the current straight run of statements

  // "b: L2: …"
  void report(std::string_view who, std::string_view rule, std::string_view what);
  std::string who(const LoopStmt& stmt) const;
};

// verify_ids.cpp: every id and count is in range. Nothing else may look at a kernel before this holds.
bool check_ids(const Kernel& kernel, std::vector<std::string>& errors);

// verify_types.cpp: L0 and L7 of a define, assign, load, store or prefetch.
void check_types(LoopChecker& checker, const LoopStmt& stmt);

// verify_access.cpp: L2, L3 and L5 of a load, store or prefetch.
void check_access(LoopChecker& checker, const LoopStmt& stmt);

// verify_tiles.cpp: L0, L2, L3 and L5 of tiles.
void check_tiles(LoopChecker& checker, const LoopStmt& stmt);

// verify_weave.cpp: L9 of a weave.
void check_weave(LoopChecker& checker, const LoopStmt& stmt);

// Least and greatest value of an affine (both taken) by the ranges of its variables.
struct Interval {
  __int128 low = 0, high = 0;
};
Interval interval_of(const Kernel& kernel, const Affine& affine);

// Whether the access touches lanes rather than one element.
bool is_vector_access(const Kernel& kernel, const LoopStmt& stmt);

}  // namespace nnc
