// What the generated messages need. A message is a plain aggregate; schemas/ says what is in it, docs/schemas.md how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error_code.h"
#include "base/uuid.h"
#include "protocol/api_key.h"
#include "protocol/json_writer.h"
#include "protocol/payload.h"
#include "protocol/reader.h"
#include "protocol/tagged_field.h"
#include "protocol/writer.h"
