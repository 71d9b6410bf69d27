#include <algorithm>
#include <cmath>

#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

using DoubleFunction = double (*)(double);

struct NamedFunction {
  std::string_view name;
  DoubleFunction function;
};
constexpr NamedFunction kDoubleFunctions[] = {
    {"math.ceil", [](double x) { return std::ceil(x); }},
    {"math.floor", [](double x) { return std::floor(x); }},
    {"math.round", [](double x) { return std::round(x); }},
    {"math.trunc", [](double x) { return std::trunc(x); }},
    {"math.sqrt", [](double x) { return std::sqrt(x); }},
    {"exp", [](double x) { return std::exp(x); }},
    {"ln", [](double x) { return std::log(x); }},
};

StrictBody OfDouble(DoubleFunction function) {
  return [function](const StrictCall& call, Column* out) {
    out->doubles.resize(call.rows);
    UnaryLoop(call.rows, call[0]->doubles.data(), call[0].constant, out->doubles.data(), function);
  };
}

void Powers(const StrictCall& call, Column* out) {
  out->doubles.resize(call.rows);
  BinaryLoop(call.rows, call[0]->doubles.data(), call[0].constant, call[1]->doubles.data(),
             call[1].constant, out->doubles.data(),
             [](double x, double y) { return std::pow(x, y); });
}

// The first of equal ones; a NaN in front stays.
template <typename T>
StrictBody Extreme(bool greatest, std::vector<T> Column::*values) {
  return [greatest, values](const StrictCall& call, Column* out) {
    std::vector<T>& best = out->*values;
    best = Materialise(call[0], call.rows).get()->*values;
    for (size_t a = 1; a < call.args.size(); ++a) {
      const T* next = ValuesOf<T>(*call[a].column);
      const size_t step = call[a].constant ? 0 : 1;
      for (size_t i = 0; i < call.rows; ++i) {
        const T item = next[i * step];
        if (greatest ? best[i] < item : item < best[i]) best[i] = item;
      }
    }
  };
}

StrictBody ExtremeBody(bool greatest, Kind kind) {
  if (kind == Kind::kInt) return Extreme<int64_t>(greatest, &Column::ints);
  if (kind == Kind::kUint) return Extreme<uint64_t>(greatest, &Column::uints);
  return kind == Kind::kDouble ? Extreme<double>(greatest, &Column::doubles) : nullptr;
}

void AbsoluteInts(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  for (size_t i = 0; i < call.rows; ++i) {
    const int64_t value = call[0]->ints[call[0].constant ? 0 : i];
    if (value == INT64_MIN) {
      call.MarkSlow(i);
    } else {
      out->ints[i] = value < 0 ? -value : value;
    }
  }
}

StrictBody AbsoluteBody(Kind kind) {
  if (kind == Kind::kInt) return AbsoluteInts;
  return kind == Kind::kDouble ? OfDouble([](double x) { return std::fabs(x); }) : nullptr;
}

StrictBody BodyOf(std::string_view name, const Nodes& args) {
  const Kind kind = args[0]->kind();
  if (std::ranges::any_of(args, [kind](const KernelNodePtr& arg) { return arg->kind() != kind; }))
    return nullptr;
  if (name == "math.greatest" || name == "math.least")
    return ExtremeBody(name == "math.greatest", kind);
  if (name == "math.abs") return AbsoluteBody(kind);
  if (kind != Kind::kDouble) return nullptr;
  if (name == "pow") return Powers;
  const auto found = std::ranges::find(kDoubleFunctions, name, &NamedFunction::name);
  return found == std::end(kDoubleFunctions) ? nullptr : OfDouble(found->function);
}

}  // namespace

KernelNodePtr MakeMathCall(const Expr& call, Nodes* args) {
  if (args->empty() || call.method) return nullptr;
  StrictBody body = BodyOf(call.name, *args);
  return body == nullptr ? nullptr : MakeStrict(call.type, std::move(*args), std::move(body));
}

}  // namespace millrace::worker
