// Expressions and types as source text. Parentheses stand where the user wrote them.
#include <variant>

#include "frontend/parser.h"
#include "frontend/printer.h"

namespace nnc::printing {

namespace {

// Calls print(item) for each, with ", " between.
template <class Items, class Print>
void print_list(Printer& printer, const Items& items, Print print) {
  bool first = true;
  for (const auto& item : items) {
    if (!first) printer.out += ", ";
    first = false;
    print(item);
  }
}

void print_exprs(Printer& printer, const std::vector<ast::ExprId>& ids) {
  print_list(printer, ids, [&](ast::ExprId id) { print_expr(printer, id); });
}

void print_node(Printer& printer, ast::ExprId, const ast::Error&) { printer.out += "<error>"; }
void print_node(Printer& printer, ast::ExprId, const ast::Number& number) { printer.out += number.spelling; }
void print_node(Printer& printer, ast::ExprId, const ast::Boolean& boolean) {
  printer.out += boolean.value ? "true" : "false";
}
void print_node(Printer& printer, ast::ExprId, const ast::String& string) { print_string(printer, string.value); }
void print_node(Printer& printer, ast::ExprId, const ast::NameRef& name) { printer.out += name.text; }

void print_node(Printer& printer, ast::ExprId, const ast::List& list) {
  printer.out += '[';
  print_exprs(printer, list.items);
  printer.out += ']';
}

void print_node(Printer& printer, ast::ExprId, const ast::Comprehension& comprehension) {
  printer.out += '[';
  print_expr(printer, comprehension.element);
  printer.out += " for " + comprehension.variable.text + " in ";
  print_expr(printer, comprehension.sequence);
  printer.out += ']';
}

void print_node(Printer& printer, ast::ExprId, const ast::Range& range) {
  print_expr(printer, range.begin);
  printer.out += "..";
  print_expr(printer, range.end);
}

void print_node(Printer& printer, ast::ExprId, const ast::Unary& unary) {
  printer.out += unary.op == ast::UnaryOp::negate ? "-" : "not ";
  print_expr(printer, unary.operand);
}

void print_operator(Printer& printer, const ast::Binary& binary) {
  printer.out += std::string(" ") + ast::spelling(binary.op) + " ";
  print_expr(printer, binary.right);
}

void print_node(Printer& printer, ast::ExprId id, const ast::Binary& binary) {
  std::vector<ast::ExprId> spine = ast::left_spine(printer.ast, id);
  if (spine.empty()) {
    print_expr(printer, binary.left);
    return print_operator(printer, binary);
  }
  print_expr(printer, printer.ast[spine.front()].as<ast::Binary>().left);
  for (ast::ExprId link : spine) print_operator(printer, printer.ast[link].as<ast::Binary>());
}

void print_node(Printer& printer, ast::ExprId, const ast::Call& call) {
  print_expr(printer, call.callee);
  printer.out += '(';
  print_list(printer, call.arguments, [&](const ast::Argument& argument) {
    if (argument.name) printer.out += argument.name->text + " = ";
    print_expr(printer, argument.value);
  });
  printer.out += ')';
}

void print_index_item(Printer& printer, const ast::IndexItem& item) {
  using Kind = ast::IndexItem::Kind;
  if (item.kind == Kind::ellipsis) printer.out += "...";
  if (item.kind == Kind::at) print_expr(printer, item.at);
  if (item.kind != Kind::slice) return;
  if (item.begin) print_expr(printer, item.begin);
  printer.out += ':';
  if (item.end) print_expr(printer, item.end);
  if (!item.step) return;
  printer.out += ':';
  print_expr(printer, item.step);
}

void print_node(Printer& printer, ast::ExprId, const ast::Index& index) {
  print_expr(printer, index.base);
  printer.out += '[';
  print_list(printer, index.items, [&](const ast::IndexItem& item) { print_index_item(printer, item); });
  printer.out += ']';
}

void print_node(Printer& printer, ast::ExprId, const ast::Member& member) {
  print_expr(printer, member.base);
  printer.out += "." + member.name.text;
}

void print_node(Printer& printer, ast::ExprId, const ast::Scan& scan) {
  printer.out += "scan ";
  print_names(printer, scan.names);
  printer.out += " in ";
  print_exprs(printer, scan.sequences);
  printer.out += " along ";
  print_expr(printer, scan.axis);
  printer.out += scan.reverse ? " reverse " : " ";
  print_block(printer, scan.body);
}

const char* name_of(ast::TypeKind kind) {
  switch (kind) {
    case ast::TypeKind::static_int:
      return "int";
    case ast::TypeKind::static_float:
      return "float";
    case ast::TypeKind::static_bool:
      return "bool";
    case ast::TypeKind::static_string:
      return "string";
    case ast::TypeKind::static_list:
      return "list";
    case ast::TypeKind::static_fn:
      return "fn";
    case ast::TypeKind::tensor:
      break;
  }
  return "";
}

const char* name_of(ast::ElementType element) {
  switch (element) {
    case ast::ElementType::f32:
      return "f32";
    case ast::ElementType::i32:
      return "i32";
    case ast::ElementType::boolean:
      return "bool";
    case ast::ElementType::compute:
      break;
  }
  return "";
}

}  // namespace

void print_expr(Printer& printer, ast::ExprId id) {
  if (!id) {
    printer.out += "<error>";
    return;
  }
  const ast::Expr& expr = printer.ast[id];
  if (expr.parenthesised) printer.out += '(';
  std::visit([&](const auto& node) { print_node(printer, id, node); }, expr.node);
  if (expr.parenthesised) printer.out += ')';
}

void print_type(Printer& printer, ast::TypeId id) {
  const ast::TypeExpr& type = printer.ast[id];
  if (type.kind != ast::TypeKind::tensor) {
    printer.out += name_of(type.kind);
    return;
  }
  printer.out += name_of(type.element);
  if (type.bound) {
    printer.out += '<';
    print_expr(printer, type.bound);
    printer.out += '>';
  }
  printer.out += '[';
  print_list(printer, type.dims, [&](const ast::Dimension& dim) {
    if (dim.ellipsis) {
      printer.out += "...";
    } else {
      print_expr(printer, dim.size);
    }
  });
  printer.out += ']';
}

void print_string(Printer& printer, std::string_view value) {
  printer.out += '"';
  for (char c : value) {
    if (c == '"' || c == '\\') printer.out += '\\';
    printer.out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  }
  printer.out += '"';
}

void print_names(Printer& printer, const std::vector<ast::Name>& names) {
  print_list(printer, names, [&](const ast::Name& name) { printer.out += name.text; });
}

}  // namespace nnc::printing

namespace nnc {

std::string print_expr(const Ast& ast, ast::ExprId id) {
  printing::Printer printer{ast, {}};
  printing::print_expr(printer, id);
  return std::move(printer.out);
}

std::string print_type(const Ast& ast, ast::TypeId id) {
  printing::Printer printer{ast, {}};
  printing::print_type(printer, id);
  return std::move(printer.out);
}

}  // namespace nnc
