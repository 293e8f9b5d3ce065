// Compiled objects on disk, so that a model that was compiled before starts without a compiler.
//
// One file an object, named by the hash of all it depends on: the Loop IR of its kernels, the processor it is for, LLVM
// and this very program. Files are written beside their place and renamed, so processes may share the folder; a file
// that is damaged is passed over and written anew. Nothing here is an error: without a usable folder everything is
// compiled.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/codegen.h"

namespace nnc {

// What tells this build of the program from any other; empty where the linker left nothing to tell by (then nothing is
// kept).
std::string build_identity();

// A name for what `parts` say together.
std::string object_key(const std::vector<std::string_view>& parts);

// The object of that key; empty if there is none or it is damaged. A hit makes it the most recently used.
std::vector<char> load_object(const ObjectCache& cache, const std::string& key);

// Keeps an object. Failing to is no error.
void store_object(const ObjectCache& cache, const std::string& key, std::string_view object);

// Removes the least recently used objects until the limit holds, and what crashed writers left behind.
void trim(const ObjectCache& cache);

}  // namespace nnc
