// What is wrong with the markup of a report.
#pragma once

#include <string>

namespace nnc::test {

// Empty, or the first of: tags that do not pair, stray angle brackets or ampersands, NaN for a place, anything that
// would be run or loaded.
std::string trouble_in(const std::string& page);

}  // namespace nnc::test
