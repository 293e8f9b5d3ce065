// Reading the small things of graph text: names, numbers, types, settings, locations. All return false once something
// was wrong; the first complaint stands in `error` with its line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph/attribute_text.h"
#include "ir/graph/lexer.h"

namespace nnc {

struct TokenReader {
  GraphLexer lexer;
  GraphToken token;
  std::string error;

  explicit TokenReader(std::string_view text) : lexer{text} { move(); }

  bool fail(std::string_view why);
  void move();
  bool is_mark(char c) const { return token.kind == GraphToken::mark && token.text[0] == c; }
  bool is_word(std::string_view word) const { return token.kind == GraphToken::word && token.text == word; }
  bool accept(char c);
  bool accept(std::string_view word);
  bool expect(char c);
  bool expect(std::string_view word);
  void skip_separators();
  bool at_end_of_statement() const;
  bool end_statement();

  bool name(std::string& result);    // a word or a quoted string
  bool string(std::string& result);  // a quoted string
  bool integer(int64_t& result);
  bool real(double& result);
  bool type(TensorType& type);
  bool integers(std::vector<int64_t>& list);               // the rest of a list after its '['
  bool setting(AttributeSetting& setting);                 // what stands behind `name=`
  bool locations(Program& program, Locations& locations);  // files that the program lacks are added
};

}  // namespace nnc
