#pragma once

#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace millrace {

// The closed set of outcomes of an operation that can fail.
enum class StatusCode {
  kOk,
  kInvalid,        // the input is wrong and stays wrong; never retried
  kNotFound,       // a named object does not exist
  kAlreadyExists,  // a name is taken
  kConflict,       // another writer was first; read again and decide
  kGone,           // a resource existed and cannot come back (offsets, rotated files)
  kUnavailable,    // a peer does not answer now; retryable
  kDeadline,       // a limit in time was reached; retryable
  kAborted,        // stopped on request or fenced by a newer generation
  kInternal,       // a broken invariant or a failing machine (disk full, I/O error)
};

std::string_view StatusCodeName(StatusCode code);

// Outcome of an operation without a value. A message says what was attempted, on which object, what
// came back and, where known, the remedy. Values are immutable and freely copied;
// thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }
  // True where the same call may succeed later without a change by the user.
  bool retryable() const {
    return code_ == StatusCode::kUnavailable || code_ == StatusCode::kDeadline;
  }
  // "ok" or "<code>: <message>".
  std::string ToString() const;
  // The same code with `context` and ": " in front of the message; ok stays ok.
  Status WithContext(std::string_view context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return {}; }
Status InvalidError(std::string message);
Status NotFoundError(std::string message);
Status AlreadyExistsError(std::string message);
Status ConflictError(std::string message);
Status GoneError(std::string message);
Status UnavailableError(std::string message);
Status DeadlineError(std::string message);
Status AbortedError(std::string message);
Status InternalError(std::string message);
// `what` with the text of `error_number` (an errno value): "open /x: Permission denied".
Status ErrnoError(std::string_view what, int error_number);

std::ostream& operator<<(std::ostream& out, const Status& status);

// A value, or the Status that says why there is none. Requires: value() only when ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : data_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit by design
  Result(Status status)
      : data_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit by design
    if (std::get<1>(data_).ok()) std::abort();
  }

  bool ok() const { return data_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<1>(data_); }
  const T& value() const& { return std::get<0>(data_); }
  T& value() & { return std::get<0>(data_); }
  T&& value() && { return std::get<0>(std::move(data_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::get<0>(std::move(data_)); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

 private:
  std::variant<T, Status> data_;
};

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace millrace

#define MILLRACE_CONCAT_INNER(a, b) a##b
#define MILLRACE_CONCAT(a, b) MILLRACE_CONCAT_INNER(a, b)

// Leaves the function with the Status of `expr` when that is not ok.
#define RETURN_IF_ERROR(expr)                                               \
  do {                                                                      \
    if (::millrace::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

// ASSIGN_OR_RETURN(auto x, F()): x is the value of F(), or the function leaves with its Status.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL(MILLRACE_CONCAT(result_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                          \
  if (!result.ok()) return result.status();      \
  lhs = std::move(result).value()

// Dies with the place when a programmer's invariant does not hold. Never for data or environment.
#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) ::millrace::CheckFailed(__FILE__, __LINE__, #condition); \
  } while (false)
