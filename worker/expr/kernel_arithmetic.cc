#include <cmath>
#include <limits>

#include "worker/expr/evaluator.h"
#include "worker/expr/kernel_node.h"
#include "worker/expr/kernel_time.h"

namespace millrace::worker {
namespace {

// f(a, b, &out) returns true where the result is an error. The flags are gathered without a branch
// and looked at once.
template <typename T, typename F>
StrictBody CheckedBody(std::vector<T> Column::*result, F f) {
  return [result, f](const StrictCall& call, Column* out) {
    std::vector<T>& values = out->*result;
    values.resize(call.rows);
    const T* a = ValuesOf<T>(*call[0].column);
    const T* b = ValuesOf<T>(*call[1].column);
    const size_t a_step = call[0].constant ? 0 : 1;
    const size_t b_step = call[1].constant ? 0 : 1;
    T* target = values.data();
    bool failed = false;
    const auto run = [&](size_t a_by, size_t b_by) {
      for (size_t i = 0; i < call.rows; ++i) failed |= f(a[i * a_by], b[i * b_by], &target[i]);
    };
    if (a_step == 1 && b_step == 1) {
      run(1, 1);
    } else {
      run(a_step, b_step);
    }
    if (!failed) return;
    for (size_t i = 0; i < call.rows; ++i) {
      T ignored;
      if (f(a[i * a_step], b[i * b_step], &ignored)) call.MarkSlow(i);
    }
  };
}

template <typename T>
StrictBody WholeBody(Op op, std::vector<T> Column::*result) {
  if (op == Op::kAdd)
    return CheckedBody<T>(result,
                          [](T a, T b, T* out) { return __builtin_add_overflow(a, b, out); });
  if (op == Op::kSubtract) {
    return CheckedBody<T>(result,
                          [](T a, T b, T* out) { return __builtin_sub_overflow(a, b, out); });
  }
  if (op == Op::kMultiply) {
    return CheckedBody<T>(result,
                          [](T a, T b, T* out) { return __builtin_mul_overflow(a, b, out); });
  }
  const auto fails = [](T a, T b) {
    if constexpr (std::is_signed_v<T>)
      return b == 0 || (b == -1 && a == std::numeric_limits<T>::min());
    return b == 0;
  };
  if (op == Op::kDivide) {
    return CheckedBody<T>(result, [fails](T a, T b, T* out) {
      if (fails(a, b)) return *out = 0, true;
      return *out = a / b, false;
    });
  }
  return CheckedBody<T>(result, [fails](T a, T b, T* out) {
    if (fails(a, b)) return *out = 0, true;
    return *out = a % b, false;
  });
}

StrictBody DoubleBody(Op op) {
  const auto body = [](auto f) {
    return [f](const StrictCall& call, Column* out) {
      out->doubles.resize(call.rows);
      BinaryLoop(call.rows, call[0]->doubles.data(), call[0].constant, call[1]->doubles.data(),
                 call[1].constant, out->doubles.data(), f);
    };
  };
  if (op == Op::kAdd) return body([](double a, double b) { return a + b; });
  if (op == Op::kSubtract) return body([](double a, double b) { return a - b; });
  if (op == Op::kMultiply) return body([](double a, double b) { return a * b; });
  if (op == Op::kDivide) return body([](double a, double b) { return a / b; });
  return nullptr;
}

// Sums of times: beyond CEL's range the evaluator says what is wrong.
StrictBody TimeBody(Op op, Kind result) {
  const bool timestamp = result == Kind::kTimestamp;
  const int64_t low = timestamp ? kMinTimestampMicros : -kMaxDurationMicros;
  const int64_t high = timestamp ? kMaxTimestampMicros : kMaxDurationMicros;
  if (op == Op::kAdd) {
    return CheckedBody<int64_t>(&Column::ints, [low, high](int64_t a, int64_t b, int64_t* out) {
      return __builtin_add_overflow(a, b, out) || *out < low || *out > high;
    });
  }
  return CheckedBody<int64_t>(&Column::ints, [low, high](int64_t a, int64_t b, int64_t* out) {
    return __builtin_sub_overflow(a, b, out) || *out < low || *out > high;
  });
}

bool IsTime(Kind kind) { return kind == Kind::kTimestamp || kind == Kind::kDuration; }

void ConcatTexts(const StrictCall& call, Column* out) {
  auto arena = std::make_shared<Arena>();
  out->strings.resize(call.rows);
  size_t bytes = 0;
  const auto text = [&](size_t arg, size_t row) {
    return call[arg]->strings[call[arg].constant ? 0 : row];
  };
  for (size_t i = 0; i < call.rows; ++i) bytes += text(0, i).size() + text(1, i).size();
  char* target = arena->Allocate(bytes);
  for (size_t i = 0; i < call.rows; ++i) {
    const std::string_view a = text(0, i);
    const std::string_view b = text(1, i);
    if (a.size() + b.size() > kMaxValueBytes) call.MarkSlow(i);
    if (!a.empty()) std::memcpy(target, a.data(), a.size());
    if (!b.empty()) std::memcpy(target + a.size(), b.data(), b.size());
    out->strings[i] = {target, a.size() + b.size()};
    target += a.size() + b.size();
  }
  out->AddOwner(std::move(arena));
}

StrictBody NegateBody(Kind kind) {
  if (kind == Kind::kDouble) {
    return [](const StrictCall& call, Column* out) {
      out->doubles.resize(call.rows);
      UnaryLoop(call.rows, call[0]->doubles.data(), call[0].constant, out->doubles.data(),
                [](double a) { return -a; });
    };
  }
  if (kind != Kind::kInt) return nullptr;
  return [](const StrictCall& call, Column* out) {
    out->ints.resize(call.rows);
    for (size_t i = 0; i < call.rows; ++i) {
      if (__builtin_sub_overflow(int64_t{0}, call[0]->ints[call[0].constant ? 0 : i],
                                 &out->ints[i]))
        call.MarkSlow(i);
    }
  };
}

StrictBody BinaryBody(Op op, const Type& type, Kind a, Kind b) {
  if (IsTime(a) && IsTime(b) && IsTime(type.kind()) && (op == Op::kAdd || op == Op::kSubtract)) {
    return TimeBody(op, type.kind());
  }
  if (a != b || a != type.kind()) return nullptr;
  if (a == Kind::kInt) return WholeBody<int64_t>(op, &Column::ints);
  if (a == Kind::kUint) return WholeBody<uint64_t>(op, &Column::uints);
  if (a == Kind::kDouble) return DoubleBody(op);
  if ((a == Kind::kString || a == Kind::kBytes) && op == Op::kAdd) return ConcatTexts;
  return nullptr;
}

}  // namespace

KernelNodePtr MakeArithmetic(Op op, const Type& type, Nodes args) {
  StrictBody body = args.size() == 1 ? NegateBody(args[0]->kind())
                                     : BinaryBody(op, type, args[0]->kind(), args[1]->kind());
  return body == nullptr ? nullptr : MakeStrict(type, std::move(args), std::move(body));
}

}  // namespace millrace::worker
