#include "frontend/ast.h"

#include <algorithm>

namespace nnc::ast {

std::vector<ExprId> left_spine(const Ast& ast, ExprId top) {
  std::vector<ExprId> spine;
  for (ExprId id = top; ast[id].kind() == ExprKind::binary; id = ast[id].as<Binary>().left) {
    bool another = id != top;
    if (ast[id].as<Binary>().op == BinaryOp::power || (another && ast[id].parenthesised)) break;
    spine.push_back(id);
  }
  std::reverse(spine.begin(), spine.end());
  return spine;
}

const char* spelling(BinaryOp op) {
  constexpr const char* spellings[] = {
      "|>", "or", "and", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "//", "%", "@", "**"};
  return spellings[static_cast<size_t>(op)];
}

const char* spelling(UnaryOp op) { return op == UnaryOp::negate ? "-" : "not"; }

}  // namespace nnc::ast
