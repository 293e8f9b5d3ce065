// What the files of the AST printer share.
#pragma once

#include <string>

#include "frontend/ast.h"

namespace nnc::printing {

struct Printer {
  const Ast& ast;
  std::string out;
  int indent = 0;
};

void print_expr(Printer& printer, ast::ExprId id);
void print_type(Printer& printer, ast::TypeId id);
void print_block(Printer& printer, const ast::Block& block);
void print_string(Printer& printer, std::string_view value);
void print_names(Printer& printer, const std::vector<ast::Name>& names);
void new_line(Printer& printer);

}  // namespace nnc::printing
