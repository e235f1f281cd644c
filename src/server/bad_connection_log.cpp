#include "server/bad_connection_log.h"

namespace klamm::server {

void BadConnectionLog::write(BadConnection bad, LogLevel level, runtime::MonoTime now, std::string_view line) {
  Kind& kind = kinds_[static_cast<std::size_t>(bad)];
  const std::int64_t ticks = now.time_since_epoch().count();
  std::int64_t next = kind.next_line_at.load(std::memory_order_relaxed);
  const std::int64_t later = ticks + runtime::Duration(std::chrono::seconds(1)).count();
  if (ticks < next || !kind.next_line_at.compare_exchange_strong(next, later)) {
    kind.left_out.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t left_out = kind.left_out.exchange(0);
  const Logger& log = bad == BadConnection::failed_answer ? apis_log_ : log_;
  if (left_out == 0)
    log.log(level, "{}", line);
  else
    log.log(level, "{} ({} more of this kind since the last line)", line, left_out);
}

}  // namespace klamm::server
