// How the driver speaks: plain errors of the command line, JSON lines, colour where it is wanted.
#pragma once

#include <cstdint>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nnc {

// True for a terminal, unless NO_COLOR is set or TERM is "dumb".
bool use_colour(std::FILE* stream);

// "nnc: error: MESSAGE" and "help: …" on stderr, or as a JSON diagnostic on stdout; returns `code`.
int fail(int code, const std::string& message, const std::optional<std::string>& help = {}, bool json = false);

// True if `name` is one of `known`; else says that there is no such `what`, and which is similar.
bool check_name(std::string_view what, const std::string& name, std::span<const std::string> known);

// One object a line on stdout.
void print_json(const nlohmann::ordered_json& object);

// "2,177"
std::string group_digits(int64_t number);
// "432 FLOP", "0.43 MFLOP"
std::string format_flops(double flops);

}  // namespace nnc
