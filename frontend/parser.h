// From the text of a file to its syntax tree, and back to text.
#pragma once

#include <string>

#include "frontend/ast.h"
#include "frontend/diagnostics.h"
#include "frontend/source.h"

namespace nnc {

// How deep brackets, blocks, signs, `**` and calls of calls may be nested.
inline constexpr int max_nesting = 200;

// Parses a whole file. Ensures: a tree, whatever the text; E0xx errors in `diagnostics` where it is not a program, one
// for each mistake. What could not be read is ast::Error or left out, so a tree with errors can still be looked at.
// Time and memory are linear in the text.
Ast parse(const SourceFiles& sources, FileId file, Diagnostics& diagnostics);

// Parses a text that holds one expression, as behind `=` on the command line.
struct ParsedExpression {
  Ast ast;
  ast::ExprId value;  // always valid
};
ParsedExpression parse_expression(const SourceFiles& sources, FileId file, Diagnostics& diagnostics);

// The tree as a program, in one layout: print_ast(parse(print_ast(a))) == print_ast(a) for a tree without errors.
// Comments other than documentation are gone, numbers keep their spelling, several pairs of parentheses become one.
std::string print_ast(const Ast& ast);
// One expression or type on one line, for messages. A scan prints its whole block.
std::string print_expr(const Ast& ast, ast::ExprId id);
std::string print_type(const Ast& ast, ast::TypeId id);

}  // namespace nnc
