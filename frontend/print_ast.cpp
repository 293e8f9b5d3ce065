// Statements and declarations as source text: two spaces a level, one statement a line.
#include <variant>

#include "frontend/parser.h"
#include "frontend/printer.h"

namespace nnc::printing {

void new_line(Printer& printer) {
  printer.out += '\n';
  printer.out.append(static_cast<size_t>(printer.indent) * 2, ' ');
}

namespace {

void print_annotation(Printer& printer, ast::TypeId type) {
  if (!type) return;
  printer.out += ": ";
  print_type(printer, type);
}

void print_value(Printer& printer, ast::ExprId value) {
  printer.out += " = ";
  print_expr(printer, value);
}

void print_values(Printer& printer, const std::vector<ast::ExprId>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) printer.out += ", ";
    print_expr(printer, values[i]);
  }
}

void print_attributes(Printer& printer, const std::vector<ast::Attribute>& attributes) {
  for (size_t i = 0; i < attributes.size(); ++i) {
    printer.out += (i == 0 ? " with " : ", ") + attributes[i].name.text;
    print_value(printer, attributes[i].value);
  }
}

void print_node(Printer& printer, const ast::Bind& bind) {
  print_names(printer, bind.names);
  print_annotation(printer, bind.type);
  print_value(printer, bind.value);
  print_attributes(printer, bind.attributes);
}

void print_node(Printer& printer, const ast::Assign& assign) {
  printer.out += assign.target.text + " <- ";
  print_expr(printer, assign.value);
}

void print_node(Printer& printer, const ast::Return& result) {
  printer.out += "return ";
  print_values(printer, result.values);
}

void print_node(Printer& printer, const ast::Yield& yield) {
  printer.out += "yield ";
  print_values(printer, yield.values);
}

void print_node(Printer& printer, const ast::Require& require) {
  printer.out += "require ";
  print_expr(printer, require.condition);
}

void print_node(Printer& printer, const ast::DeclareState& declaration) {
  printer.out += declaration.trained ? "param " : "state ";
  print_names(printer, declaration.names);
  print_annotation(printer, declaration.type);
  print_value(printer, declaration.init);
  print_attributes(printer, declaration.attributes);
}

void print_node(Printer& printer, const ast::DeclareInput& declaration) {
  printer.out += (declaration.target ? "target " : "input ") + declaration.name.text;
  print_annotation(printer, declaration.type);
}

void print_node(Printer& printer, const ast::DeclareResult& declaration) {
  constexpr const char* words[] = {"output ", "loss ", "metric "};
  printer.out += words[static_cast<size_t>(declaration.kind)] + declaration.name.text;
  print_annotation(printer, declaration.type);
  print_value(printer, declaration.value);
}

void print_node(Printer& printer, const ast::If& branch) {
  for (size_t i = 0; i < branch.arms.size(); ++i) {
    printer.out += i == 0 ? "if " : " else if ";
    print_expr(printer, branch.arms[i].condition);
    printer.out += ' ';
    print_block(printer, branch.arms[i].body);
  }
  if (!branch.otherwise) return;
  printer.out += " else ";
  print_block(printer, *branch.otherwise);
}

void print_node(Printer& printer, const ast::For& loop) {
  printer.out += "for " + loop.variable.text + " in ";
  print_expr(printer, loop.sequence);
  printer.out += ' ';
  print_block(printer, loop.body);
}

void print_node(Printer& printer, const ast::ScanStmt& statement) { print_expr(printer, statement.scan); }

void print_statements(Printer& printer, const std::vector<ast::StmtId>& stmts) {
  for (ast::StmtId id : stmts) {
    new_line(printer);
    std::visit([&](const auto& node) { print_node(printer, node); }, printer.ast[id].node);
  }
}

void print_parameters(Printer& printer, const std::vector<ast::Parameter>& parameters) {
  printer.out += '(';
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (i > 0) printer.out += ", ";
    printer.out += parameters[i].name.text;
    print_annotation(printer, parameters[i].type);
    if (parameters[i].otherwise) print_value(printer, parameters[i].otherwise);
  }
  printer.out += ')';
}

void print_results(Printer& printer, const std::vector<ast::TypeId>& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    printer.out += i == 0 ? " -> " : ", ";
    print_type(printer, results[i]);
  }
}

void print_body(Printer& printer, const ast::Body& body) {
  if (!body.block) return print_value(printer, body.value);
  printer.out += ' ';
  print_block(printer, *body.block);
}

void print_node(Printer& printer, const ast::Import& import) {
  printer.out += "import ";
  print_string(printer, import.path);
}

void print_node(Printer& printer, const ast::Option& option) {
  printer.out += "option " + option.name.text;
  print_annotation(printer, option.type);
  print_value(printer, option.value);
}

void print_node(Printer& printer, const ast::Const& constant) {
  printer.out += "const " + constant.name.text;
  print_annotation(printer, constant.type);
  print_value(printer, constant.value);
}

void print_node(Printer& printer, const ast::Function& function) {
  printer.out += "fn " + function.name.text;
  print_parameters(printer, function.parameters);
  print_results(printer, function.results);
  print_body(printer, function.body);
}

void print_node(Printer& printer, const ast::Schedule& schedule) {
  printer.out += "schedule " + schedule.name.text;
  print_parameters(printer, schedule.parameters);
  print_body(printer, schedule.body);
}

void print_node(Printer& printer, const ast::Gradient& gradient) {
  printer.out += "grad " + gradient.name.text + "(";
  print_names(printer, gradient.parameters);
  printer.out += ')';
  print_body(printer, gradient.body);
}

void print_node(Printer& printer, const ast::Layer& layer) {
  printer.out += "layer " + layer.name.text;
  print_parameters(printer, layer.static_parameters);
  print_parameters(printer, layer.tensor_parameters);
  print_results(printer, layer.results);
  printer.out += ' ';
  print_block(printer, layer.body);
}

void print_node(Printer& printer, const ast::Optimizer& optimizer) {
  printer.out += "optimizer " + optimizer.name.text;
  print_parameters(printer, optimizer.parameters);
  printer.out += " {";
  ++printer.indent;
  print_statements(printer, optimizer.setup);
  new_line(printer);
  printer.out += "update(";
  print_names(printer, optimizer.update_parameters);
  printer.out += ") ";
  print_block(printer, optimizer.update);
  --printer.indent;
  new_line(printer);
  printer.out += '}';
}

void print_node(Printer& printer, const ast::Model& model) {
  printer.out += "model " + model.name.text + " ";
  print_block(printer, model.body);
}

void print_settings(Printer& printer, const char* word, const std::vector<ast::Setting>& settings) {
  printer.out += word;
  printer.out += " {";
  ++printer.indent;
  for (const ast::Setting& setting : settings) {
    new_line(printer);
    print_names(printer, setting.names);
    print_value(printer, setting.value);
  }
  --printer.indent;
  if (!settings.empty()) new_line(printer);
  printer.out += '}';
}

void print_node(Printer& printer, const ast::Data& data) { print_settings(printer, "data", data.settings); }
void print_node(Printer& printer, const ast::Train& train) { print_settings(printer, "train", train.settings); }

void print_doc(Printer& printer, const std::string& doc) {
  if (doc.empty()) return;
  for (size_t begin = 0; begin <= doc.size();) {
    size_t end = std::min(doc.find('\n', begin), doc.size());
    printer.out += end > begin ? "# " : "#";
    printer.out += doc.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
}

// Short declarations of one kind stand together, all others apart.
bool close_together(const ast::Decl& above, const ast::Decl& below) {
  return above.kind() == below.kind() && below.kind() <= ast::DeclKind::constant && below.doc.empty();
}

}  // namespace

void print_block(Printer& printer, const ast::Block& block) {
  printer.out += '{';
  ++printer.indent;
  print_statements(printer, block.stmts);
  --printer.indent;
  if (!block.stmts.empty()) new_line(printer);
  printer.out += '}';
}

}  // namespace nnc::printing

namespace nnc {

std::string print_ast(const Ast& ast) {
  printing::Printer printer{ast, {}};
  for (size_t i = 0; i < ast.decls.size(); ++i) {
    const ast::Decl& decl = ast.decls[i];
    if (i > 0 && !printing::close_together(ast.decls[i - 1], decl)) printer.out += '\n';
    printing::print_doc(printer, decl.doc);
    std::visit([&](const auto& node) { printing::print_node(printer, node); }, decl.node);
    printer.out += '\n';
  }
  return std::move(printer.out);
}

}  // namespace nnc
