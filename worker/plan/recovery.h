#pragma once

#include <set>
#include <string>
#include <string_view>

#include "worker/data/type.h"
#include "worker/step/step.h"

namespace millrace::worker {

// What is taken for everything that an error leaves unknown. A job with errors is built once for
// each of several guesses, and only what is wrong under all of them is wrong for sure.
struct Guess {
  Type type;                // of fields
  bool event_time = false;  // of streams
};

// The record behind a step that could not be built: the fields it would give, as far as its spec
// tells, with the guess for every type that is not known. Pure.
Schema RecoverSchema(const api::StepKind& kind, const StepEnv& env, const Guess& guess);

// Adds the fields that the step reads to a record of which not all fields are known.
void AddReadFields(const api::StepKind& kind, const Guess& guess, Schema* record);
// Adds every name in `text`, an expression, that the record does not have.
void AddNamesIn(std::string_view text, const Guess& guess, Schema* record);

// All hidden fields that a source can have, for streams of which nothing else is known.
Schema HiddenFields(const Guess& guess);

}  // namespace millrace::worker
