// One seed's story of groups and transactions: a broker that dies and comes back, members, producers of transactions,
// copiers and readers, requests that come late; then the rules of group_history.h and transaction_history.h are
// checked.
#pragma once

#include "story.h"

namespace klamm::simulation {

StoryOutcome run_coordinators_story(const StoryOptions& options);

}  // namespace klamm::simulation
