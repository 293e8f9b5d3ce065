// From the text of a file to its tokens, with the brackets already paired.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/diagnostics.h"
#include "frontend/source.h"

namespace nnc {

enum class TokenKind : uint8_t {
#define NNC_TOKEN(name, spelling) name,
#define NNC_RESERVED(name, spelling) name,
#include "frontend/tokens.def"
#undef NNC_TOKEN
#undef NNC_RESERVED
};

struct Token {
  TokenKind kind = TokenKind::end;
  bool first_on_line = false;
  bool after_stray = false;  // something between the token before and this one was reported and left out
  uint32_t begin = 0;
  uint32_t end = 0;
};

struct Tokens {
  std::vector<Token> tokens;  // the last one, and only that, is TokenKind::end
  // For `( [ {` the index of the token that closes it, 0 where none does; for `) ] }` the index of the token it
  // closes, its own where it closes none; 0 otherwise.
  std::vector<uint32_t> partner;
};

// `(`, `and`, ...; "name", "number", "string" and "end of file" for the others.
const char* spelling(TokenKind kind);
bool is_reserved_word(TokenKind kind);

// Splits the file into tokens. Every character is part of one token, of white space or of a comment, or was reported.
// Errors: E001 to E005 as diagnostics; the tokens go on behind the mistake.
Tokens lex(const SourceFiles& sources, FileId file, Diagnostics& diagnostics);

// The value of a string token, whose text includes the quotes.
std::string string_value(std::string_view token_text);
// The value of a number token; infinity where it is out of range.
double number_value(std::string_view token_text);

}  // namespace nnc
