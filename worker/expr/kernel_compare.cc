#include <cstring>
#include <unordered_set>

#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// Order of numbers of two kinds, as CompareValues has it: beside a double both are doubles.
template <typename A, typename B>
bool Less(A a, B b) {
  return static_cast<double>(a) < static_cast<double>(b);
}
template <typename T>
requires(!std::is_same_v<T, double>) bool Less(T a, T b) { return a < b; }
inline bool Less(int64_t a, uint64_t b) { return a < 0 || static_cast<uint64_t>(a) < b; }
inline bool Less(uint64_t a, int64_t b) { return b >= 0 && a < static_cast<uint64_t>(b); }

template <typename A, typename B>
bool Equal(A a, B b) {
  return static_cast<double>(a) == static_cast<double>(b);
}
template <typename T>
requires(!std::is_same_v<T, double>) bool Equal(T a, T b) { return a == b; }
inline bool Equal(int64_t a, uint64_t b) { return a >= 0 && static_cast<uint64_t>(a) == b; }
inline bool Equal(uint64_t a, int64_t b) { return Equal(b, a); }

template <typename A, typename B, typename F>
StrictBody CompareBody(F f) {
  return [f](const StrictCall& call, Column* out) {
    out->bools.resize(call.rows);
    BinaryLoop(call.rows, ValuesOf<A>(*call[0].column), call[0].constant,
               ValuesOf<B>(*call[1].column), call[1].constant, out->bools.data(),
               [f](const A& a, const B& b) { return static_cast<uint8_t>(f(a, b)); });
  };
}

// a >= b is not !(a < b) for NaN: it is b <= a, which is (b < a || b == a).
template <typename A, typename B>
StrictBody OrderBody(Op op) {
  if (op == Op::kLess) return CompareBody<A, B>([](const A& a, const B& b) { return Less(a, b); });
  if (op == Op::kGreater)
    return CompareBody<A, B>([](const A& a, const B& b) { return Less(b, a); });
  if (op == Op::kLessEqual) {
    return CompareBody<A, B>([](const A& a, const B& b) { return Less(a, b) || Equal(a, b); });
  }
  return CompareBody<A, B>([](const A& a, const B& b) { return Less(b, a) || Equal(a, b); });
}

// Calls f with a value of the physical type of a scalar kind; false for other kinds.
template <typename F>
bool WithScalar(Kind kind, F f) {
  if (kind == Kind::kBool) {
    f(uint8_t{});
  } else if (kind == Kind::kInt || kind == Kind::kTimestamp || kind == Kind::kDuration) {
    f(int64_t{});
  } else if (kind == Kind::kUint) {
    f(uint64_t{});
  } else if (kind == Kind::kDouble) {
    f(double{});
  } else if (kind == Kind::kString || kind == Kind::kBytes) {
    f(std::string_view{});
  } else {
    return false;
  }
  return true;
}

bool Comparable(const KernelNode& a, const KernelNode& b) {
  if (a.type().is_numeric() && b.type().is_numeric()) return true;
  return a.kind() == b.kind();
}

// Calls f with values of the physical types of two comparable scalar kinds.
template <typename F>
bool WithScalars(const KernelNode& a, const KernelNode& b, F f) {
  if (!Comparable(a, b)) return false;
  bool done = false;
  WithScalar(a.kind(), [&](auto left) {
    WithScalar(b.kind(), [&](auto right) {
      using Left = decltype(left);
      using Right = decltype(right);
      constexpr bool kNumbers = !std::is_same_v<Left, std::string_view> &&
                                !std::is_same_v<Right, std::string_view> &&
                                !std::is_same_v<Left, uint8_t> && !std::is_same_v<Right, uint8_t>;
      if constexpr (kNumbers || std::is_same_v<Left, Right>) {
        f(left, right);
        done = true;
      }
    });
  });
  return done;
}

StrictBody MakeOrder(Op op, const KernelNode& a, const KernelNode& b) {
  StrictBody body;
  WithScalars(
      a, b, [&](auto left, auto right) { body = OrderBody<decltype(left), decltype(right)>(op); });
  return body;
}

// ---- equality: null is a value like another ----

// Equality with one string of 1 to 16 bytes: two overlapping words instead of a call.
template <typename Word>
class ShortText {
 public:
  explicit ShortText(std::string_view text)
      : size_(text.size()), first_(Load(text.data())), last_(Load(End(text))) {}
  bool operator()(std::string_view text) const {
    return text.size() == size_ && Load(text.data()) == first_ && Load(End(text)) == last_;
  }

 private:
  static const char* End(std::string_view text) { return text.data() + text.size() - sizeof(Word); }
  static Word Load(const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  size_t size_;
  Word first_, last_;
};

template <typename Match>
void MatchAll(const std::vector<std::string_view>& texts, Match match, uint8_t* out) {
  for (size_t i = 0; i < texts.size(); ++i) out[i] = match(texts[i]) ? 1 : 0;
}

void EqualsText(const std::vector<std::string_view>& texts, std::string_view wanted, uint8_t* out) {
  const size_t size = wanted.size();
  if (size == 0) {
    MatchAll(
        texts, [](std::string_view text) { return text.empty(); }, out);
  } else if (size == 1) {
    MatchAll(texts, ShortText<uint8_t>(wanted), out);
  } else if (size < 4) {
    MatchAll(texts, ShortText<uint16_t>(wanted), out);
  } else if (size < 8) {
    MatchAll(texts, ShortText<uint32_t>(wanted), out);
  } else if (size <= 16) {
    MatchAll(texts, ShortText<uint64_t>(wanted), out);
  } else {
    MatchAll(
        texts, [wanted](std::string_view text) { return text == wanted; }, out);
  }
}

class EqualNode final : public KernelNode {
 public:
  EqualNode(bool negated, Nodes args, StrictBody body)
      : KernelNode(Type(Kind::kBool)),
        negated_(negated),
        args_(std::move(args)),
        body_(std::move(body)) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    KernelVector result;
    StrictCall call{context.rows(), {}, &result.slow};
    for (const KernelNodePtr& arg : args_) {
      call.args.push_back(arg->Evaluate(context));
      AddSlow(call.args.back(), call.rows, /*nulls=*/false, &result.slow);
    }
    auto column = std::make_shared<Column>(type());
    body_(call, column.get());
    FixNulls(call, &column->bools);
    if (negated_) {
      for (uint8_t& value : column->bools) value ^= 1;
    }
    column->set_size(call.rows);
    result.column = std::move(column);
    return result;
  }
  bool expensive() const override { return args_[0]->expensive() || args_[1]->expensive(); }

 private:
  static void FixNulls(const StrictCall& call, std::vector<uint8_t>* equal) {
    if (!call[0]->has_nulls() && !call[1]->has_nulls()) return;
    for (size_t i = 0; i < call.rows; ++i) {
      const bool null_a = call[0].IsNull(i);
      const bool null_b = call[1].IsNull(i);
      if (null_a || null_b) (*equal)[i] = null_a && null_b ? 1 : 0;
    }
  }

  const bool negated_;
  Nodes args_;
  StrictBody body_;
};

StrictBody MakeEquality(const KernelNode& a, const KernelNode& b) {
  if (a.kind() == Kind::kNull || b.kind() == Kind::kNull) {
    if (a.kind() == Kind::kDyn || b.kind() == Kind::kDyn)
      return nullptr;  // the JSON text null is null, too
    // Nulls are put right by the node; a value never equals the literal null.
    return [](const StrictCall& call, Column* out) { out->bools.assign(call.rows, 0); };
  }
  const bool texts = a.type().is_binary() && a.kind() == b.kind() && a.kind() != Kind::kJson;
  if (texts && b.constant() != nullptr && a.constant() == nullptr) {
    return [](const StrictCall& call, Column* out) {
      out->bools.resize(call.rows);
      EqualsText(call[0]->strings, call[1]->strings[0], out->bools.data());
    };
  }
  StrictBody body;
  WithScalars(a, b, [&](auto left, auto right) {
    using A = decltype(left);
    using B = decltype(right);
    body = CompareBody<A, B>([](const A& x, const B& y) { return Equal(x, y); });
  });
  return body;
}

// ---- in ----

constexpr size_t kScanUpTo = 6;  // shorter literal lists are compared one by one

template <typename T>
StrictBody InScalars(const T* values, size_t size, const std::vector<T> Column::*member) {
  const std::vector<T> wanted(values, values + size);
  return [wanted, member](const StrictCall& call, Column* out) {
    out->bools.resize(call.rows);
    const std::unordered_set<T> set(wanted.size() > kScanUpTo ? wanted.begin() : wanted.end(),
                                    wanted.end());
    UnaryLoop(call.rows, (call[0].column.get()->*member).data(), call[0].constant,
              out->bools.data(), [&](const T& value) {
                if (wanted.size() > kScanUpTo) return static_cast<uint8_t>(set.contains(value));
                uint8_t found = 0;
                for (const T& item : wanted) found |= item == value ? 1 : 0;
                return found;
              });
  };
}

// A null is in no list without nulls.
class InLiteralNode final : public KernelNode {
 public:
  InLiteralNode(KernelNodePtr operand, ColumnRef list, StrictBody body)
      : KernelNode(Type(Kind::kBool)),
        operand_(std::move(operand)),
        list_(std::move(list)),
        body_(std::move(body)) {}

  KernelVector Evaluate(const KernelContext& context) const override {
    KernelVector result;
    StrictCall call{context.rows(), {operand_->Evaluate(context)}, &result.slow};
    AddSlow(call.args[0], call.rows, /*nulls=*/false, &result.slow);
    auto column = std::make_shared<Column>(type());
    body_(call, column.get());
    if (call[0]->has_nulls()) {
      for (size_t i = 0; i < call.rows; ++i) column->bools[i] &= call[0].IsNull(i) ? 0 : 1;
    }
    column->set_size(call.rows);
    result.column = std::move(column);
    return result;
  }
  bool expensive() const override { return operand_->expensive(); }

 private:
  KernelNodePtr operand_;
  ColumnRef list_;  // keeps the literals that the body refers to
  StrictBody body_;
};

template <typename T>
bool ElementEquals(const Column& values, size_t row, const T& wanted) {
  return !values.IsNull(row) && Equal(ValuesOf<T>(values)[row], wanted);
}

template <typename T>
StrictBody InLists() {
  return [](const StrictCall& call, Column* out) {
    out->bools.resize(call.rows);
    const Column& elements = *call[1]->children[0];
    const T* wanted = ValuesOf<T>(*call[0].column);
    for (size_t row = 0; row < call.rows; ++row) {
      const size_t list = call[1].constant ? 0 : row;
      uint8_t found = 0;
      for (size_t i = call[1]->list_begin(list); i < call[1]->list_end(list) && found == 0; ++i) {
        found = ElementEquals<T>(elements, i, wanted[call[0].constant ? 0 : row]) ? 1 : 0;
      }
      out->bools[row] = found;
    }
  };
}

KernelNodePtr MakeInLiteral(Nodes args) {
  const Column& list = *args[1]->constant();
  const Column& items = *list.children[0];
  if (list.IsNull(0) || items.has_nulls() || items.kind() != args[0]->kind()) return nullptr;
  StrictBody body;
  const size_t size = items.size();
  if (items.type().is_int64()) {
    body = InScalars<int64_t>(items.ints.data(), size, &Column::ints);
  } else if (items.kind() == Kind::kUint) {
    body = InScalars<uint64_t>(items.uints.data(), size, &Column::uints);
  } else if (items.kind() == Kind::kString || items.kind() == Kind::kBytes) {
    body = InScalars<std::string_view>(items.strings.data(), size, &Column::strings);
  } else {
    return nullptr;
  }
  KernelContext none(1, {}, nullptr);
  ColumnRef keep = args[1]->Evaluate(none).column;
  return std::make_unique<InLiteralNode>(std::move(args[0]), std::move(keep), std::move(body));
}

}  // namespace

KernelNodePtr MakeComparison(Op op, Nodes args) {
  if (op == Op::kEqual || op == Op::kNotEqual) {
    // The constant stands right.
    if (args[0]->constant() != nullptr) std::swap(args[0], args[1]);
    StrictBody body = MakeEquality(*args[0], *args[1]);
    if (body == nullptr) return nullptr;
    return std::make_unique<EqualNode>(op == Op::kNotEqual, std::move(args), std::move(body));
  }
  StrictBody body = MakeOrder(op, *args[0], *args[1]);
  return body == nullptr ? nullptr
                         : MakeStrict(Type(Kind::kBool), std::move(args), std::move(body));
}

KernelNodePtr MakeIn(Nodes args) {
  if (args[1]->kind() != Kind::kList || args[1]->type().element().kind() != args[0]->kind())
    return nullptr;
  if (args[1]->constant() != nullptr) return MakeInLiteral(std::move(args));
  StrictBody body;
  WithScalar(args[0]->kind(), [&](auto scalar) { body = InLists<decltype(scalar)>(); });
  return body == nullptr ? nullptr
                         : MakeStrict(Type(Kind::kBool), std::move(args), std::move(body));
}

}  // namespace millrace::worker
