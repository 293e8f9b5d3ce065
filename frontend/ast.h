// The syntax tree of one .nn file, as the user wrote it: nothing desugared, nothing resolved.
//
// Plain data in dense tables joined by typed ids. A node is a span and a variant; `kind()` gives an enum to switch over
// and `as<T>()` the payload. Children stand before their parents in `exprs`, so a loop over the table is a postorder.
//
// The height of a tree is bounded by the parser's nesting limit, with one exception: the left operands of `|> or and
// + - * / // % @` chain without limit (`a + a + ... + a`). Walk such a chain with left_spine(), not by recursion.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontend/source.h"
#include "ir/ids.h"

namespace nnc::ast {

using ExprId = Id<struct Expr>;
using StmtId = Id<struct Stmt>;
using TypeId = Id<struct TypeExpr>;
using DeclId = Id<struct Decl>;

// An identifier where it stands. `_` discards what it would bind.
struct Name {
  std::string text;
  Span span;

  bool discards() const { return text == "_"; }
};

// ---- expressions -----------------------------------------------------------------------------------------------

enum class UnaryOp { negate, logical_not };

// Loosest first.
enum class BinaryOp {
  pipe,
  logical_or,
  logical_and,
  equal,  // the six comparisons share a level
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  add,  // two of one level
  subtract,
  multiply,  // five of one level
  divide,
  floor_divide,
  modulo,
  matmul,
  power,
};

struct Error {};  // a syntax error stood here and was reported
struct Number {   // `12`, `1_000`, `0.5`, `1e-3`, `inf`; never negative
  double value = 0;
  std::string spelling;
};
struct Boolean {
  bool value = false;
};
struct String {
  std::string value;  // escapes resolved
};
struct NameRef {
  std::string text;
};
struct List {
  std::vector<ExprId> items;
};
struct Comprehension {  // [element for variable in sequence]
  ExprId element;
  Name variable;
  ExprId sequence;  // a Range or a list
};
struct Range {  // begin..end; only as a `sequence`
  ExprId begin, end;
};
struct Unary {
  UnaryOp op;
  Span op_span;
  ExprId operand;
};
struct Binary {
  BinaryOp op;
  Span op_span;
  ExprId left, right;
};
struct Argument {
  std::optional<Name> name;
  ExprId value;
};
struct Call {
  ExprId callee;
  std::vector<Argument> arguments;  // the named ones last
};
struct IndexItem {
  enum class Kind { at, slice, ellipsis };
  Kind kind = Kind::at;
  Span span;
  ExprId at;                // of `at`
  ExprId begin, end, step;  // of `slice`, each may be invalid: left out
};
struct Index {
  ExprId base;
  std::vector<IndexItem> items;  // at least one
};
struct Member {
  ExprId base;
  Name name;
};

// The statements between braces; the span includes the braces.
struct Block {
  std::vector<StmtId> stmts;
  Span span;
};

struct Scan {  // scan names in sequences along axis [reverse] body; only as a whole right side or statement
  std::vector<Name> names;
  std::vector<ExprId> sequences;  // as many as names if the file has no errors, else maybe not; each may be a Range
  ExprId axis;
  bool reverse = false;
  Block body;
};

// In the order of Expr::node's alternatives.
enum class ExprKind {
  error,
  number,
  boolean,
  string,
  name,
  list,
  comprehension,
  range,
  unary,
  binary,
  call,
  index,
  member,
  scan
};

struct Expr {
  Span span;                   // with its parentheses
  bool parenthesised = false;  // at least one pair
  std::variant<Error, Number, Boolean, String, NameRef, List, Comprehension, Range, Unary, Binary, Call, Index, Member,
               Scan>
      node;

  ExprKind kind() const { return static_cast<ExprKind>(node.index()); }
  template <class T>
  const T& as() const {
    return std::get<T>(node);
  }
};

// ---- types -----------------------------------------------------------------------------------------------------

// `tensor` has a shape; the others annotate static values.
enum class TypeKind { tensor, static_int, static_float, static_bool, static_string, static_list, static_fn };

// `compute`: left out, the model's compute type.
enum class ElementType { compute, f32, i32, boolean };

struct Dimension {
  Span span;
  bool ellipsis = false;  // `...`: any leading axes
  ExprId size;            // of level `+` and tighter; invalid for an ellipsis
};

struct TypeExpr {
  Span span;
  TypeKind kind = TypeKind::tensor;
  ElementType element = ElementType::compute;
  ExprId bound;                 // n of `i32<n>`; may be invalid
  std::vector<Dimension> dims;  // empty: a scalar
};

// ---- statements ------------------------------------------------------------------------------------------------

// `name = value` in `with weight_decay = 0, lr = 2, frozen = true`.
struct Attribute {
  Name name;
  ExprId value;
};

struct Bind {  // names [: type] = value [with attributes]; a type only with a single name
  std::vector<Name> names;
  TypeId type;   // may be invalid
  ExprId value;  // may be a Scan
  std::vector<Attribute> attributes;
};
struct Assign {  // target <- value
  Name target;
  ExprId value;
};
struct Return {
  std::vector<ExprId> values;  // a single one may be a Scan
};
struct Yield {
  std::vector<ExprId> values;
};
struct Require {
  ExprId condition;
};
struct DeclareState {    // param|state names [: type] = init [with attributes]
  bool trained = false;  // `param`
  std::vector<Name> names;
  TypeId type;  // invalid only for `state`
  ExprId init;
  std::vector<Attribute> attributes;
};
struct DeclareInput {  // input|target name: type
  bool target = false;
  Name name;
  TypeId type;
};
enum class ResultKind { output, loss, metric };
struct DeclareResult {  // output|loss|metric name [: type] = value
  ResultKind kind = ResultKind::output;
  Name name;
  TypeId type;   // may be invalid
  ExprId value;  // may be a Scan
};
struct IfArm {
  ExprId condition;
  Block body;
};
struct If {                 // if ... else if ... else ...
  std::vector<IfArm> arms;  // at least one
  std::optional<Block> otherwise;
};
struct For {
  Name variable;
  ExprId sequence;  // a Range or a list
  Block body;
};
struct ScanStmt {
  ExprId scan;
};

// In the order of Stmt::node's alternatives.
enum class StmtKind {
  bind,
  assign,
  return_,
  yield,
  require,
  declare_state,
  declare_input,
  declare_result,
  if_,
  for_,
  scan
};

struct Stmt {
  Span span;
  std::variant<Bind, Assign, Return, Yield, Require, DeclareState, DeclareInput, DeclareResult, If, For, ScanStmt> node;

  StmtKind kind() const { return static_cast<StmtKind>(node.index()); }
  template <class T>
  const T& as() const {
    return std::get<T>(node);
  }
};

// ---- declarations ----------------------------------------------------------------------------------------------

struct Parameter {  // name [: type] [= default]
  Name name;
  TypeId type;       // may be invalid
  ExprId otherwise;  // the default; may be invalid
};

// `= expr` or a block: exactly one of them.
struct Body {
  ExprId value;  // may be a Scan
  std::optional<Block> block;
};

struct Import {
  std::string path;
  Span path_span;
};
struct Option {
  Name name;
  TypeId type;  // may be invalid
  ExprId value;
};
struct Const {
  Name name;
  TypeId type;  // may be invalid
  ExprId value;
};
struct Function {  // fn
  Name name;
  std::vector<Parameter> parameters;
  std::vector<TypeId> results;
  Body body;
};
struct Schedule {
  Name name;
  std::vector<Parameter> parameters;
  Body body;
};
struct Gradient {  // grad name(the function's parameters, its result, the cotangent)
  Name name;
  std::vector<Name> parameters;
  Body body;
};
struct Layer {
  Name name;
  std::vector<Parameter> static_parameters;
  std::vector<Parameter> tensor_parameters;
  std::vector<TypeId> results;
  Block body;
};
struct Optimizer {
  Name name;
  std::vector<Parameter> parameters;
  std::vector<StmtId> setup;            // what stands before `update`: states, requires, static ifs, bindings
  std::vector<Name> update_parameters;  // p, g
  Block update;
};
struct Model {
  Name name;
  Block body;
};
struct Setting {  // names = value, in `data` and `train`
  std::vector<Name> names;
  ExprId value;
  Span span;
};
struct Data {
  std::vector<Setting> settings;
};
struct Train {
  std::vector<Setting> settings;
};

// In the order of Decl::node's alternatives.
enum class DeclKind { import, option, constant, function, schedule, gradient, layer, optimizer, model, data, train };

struct Decl {
  Span span;  // from the keyword to the end
  Span keyword_span;
  std::string doc;  // the comment lines right above, without `#` and one space, joined by '\n'
  std::variant<Import, Option, Const, Function, Schedule, Gradient, Layer, Optimizer, Model, Data, Train> node;

  DeclKind kind() const { return static_cast<DeclKind>(node.index()); }
  template <class T>
  const T& as() const {
    return std::get<T>(node);
  }
};

struct Ast {
  FileId file;
  std::vector<Expr> exprs;
  std::vector<Stmt> stmts;
  std::vector<TypeExpr> types;
  std::vector<Decl> decls;  // in source order

  const Expr& operator[](ExprId id) const { return exprs[id.value]; }
  const Stmt& operator[](StmtId id) const { return stmts[id.value]; }
  const TypeExpr& operator[](TypeId id) const { return types[id.value]; }
  const Decl& operator[](DeclId id) const { return decls[id.value]; }
};

// The chain of binary nodes from `top` down its left operands, innermost first; it stops at a parenthesised operand, at
// `**`, and at what is not binary. Empty if `top` is not a binary node that chains. The operand of the first is its
// `left`, every further node adds its `right`. Parentheses of `top` itself do not matter.
std::vector<ExprId> left_spine(const Ast& ast, ExprId top);

// The operator as the user writes it: `|>`, `or`, `+`, `not`, ...
const char* spelling(BinaryOp op);
const char* spelling(UnaryOp op);

}  // namespace nnc::ast

namespace nnc {
using ast::Ast;
}  // namespace nnc
