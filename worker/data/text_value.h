#pragma once

#include <string>
#include <string_view>

#include "crds/api/spec.h"
#include "worker/data/arena.h"
#include "worker/data/column.h"

namespace millrace::worker {

// Appends the value that `text` says to `column`, by the column's type: the cells of csv and the
// groups of regex. Strings become views of `text`, which is valid UTF-8; bytes are base64, json is
// one JSON value, durations are CEL's. Nothing is trimmed. On failure returns false, says what is
// wrong in `problem` and appends nothing. Requires: a kind IsTextKind holds for.
bool AppendTextValue(std::string_view text, const api::TimestampFormat& timestamps, Column* column,
                     Arena* arena, std::string* problem);

// Whether one text can hold a value of this kind: all but list, map and struct.
bool IsTextKind(Kind kind);

}  // namespace millrace::worker
