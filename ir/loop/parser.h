// The parser of Loop IR text: a recursive descent over tokens, where line breaks mean nothing and the first mistake
// ends it. Internal to ir/loop. Every method but the tests returns false after a mistake.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/loop/lexer.h"
#include "ir/loop/loop.h"

namespace nnc {

struct LoopParser {
  std::vector<LoopToken> tokens;
  Kernel& kernel;
  size_t at = 0;
  std::string error = {};
  std::map<std::string, VarId, std::less<>> vars = {};
  std::map<std::string, ValueId, std::less<>> values = {};
  std::map<std::string, BufferId, std::less<>> buffers = {};
  std::map<std::string, uint32_t, std::less<>> files = {};

  const LoopToken& token() const { return tokens[at]; }
  bool is(std::string_view text) const { return token().kind != LoopToken::end && token().text == text; }
  bool ok() const { return error.empty(); }
  bool fail(std::string what) {
    if (error.empty()) error = fmt::format("line {}: {}", token().line, what);
    return false;
  }
  void next() { at += at + 1 < tokens.size(); }
  bool accept(std::string_view text) {
    if (!is(text)) return false;
    next();
    return true;
  }
  bool expect(std::string_view text) {
    return accept(text) || fail(fmt::format("expected '{}', found '{}'", text, token().text));
  }

  bool header();
  bool buffer();
  bool body(std::vector<LoopStmt>& stmts, int depth);
  bool statement(LoopStmt& stmt, int depth);
  bool unroll(LoopStmt& stmt, int depth);
  bool counted(LoopStmt& stmt, int depth);
  bool when(LoopStmt& stmt, int depth);
  bool weave(LoopStmt& stmt, int depth);
  bool definition(LoopStmt& stmt);
  bool operation(LoopStmt& stmt);
  bool load(LoopStmt& stmt);
  bool store(LoopStmt& stmt, bool prefetch);
  bool tiles(LoopStmt& stmt);
  bool access(Access& access);
  bool options(Access& access);
  bool affine(Affine& sum, ValueId* dynamic);
  bool term(Affine& sum, bool negative);
  bool operand(LoopOperand& operand);
  bool use(ValueId& id);
  bool variable(VarId& id);
  bool family(std::vector<VarId>& family);
  bool declare(LoopVar::Kind kind, std::string name, int64_t begin, int64_t end, VarId& id);
  bool range(int64_t& low, int64_t& high);
  bool integer(int64_t& value);
  bool number(double& value);
  bool name(std::string& name);
  bool dims(Dims& dims);
  bool reduction(Reduction& reduction);
  bool type(LoopValue& value);
  void infer(const LoopStmt& stmt, LoopValue& value) const;
  bool places(Locations& locations);
};

}  // namespace nnc
