// What the golden tests of diagnostics run.
#pragma once

#include <string>

// All diagnostics of the .nn file at `path`, rendered without colour under the file's own name; empty if there are
// none.
std::string render_all_diagnostics(const std::string& path);
