#include "server/apis.h"

#include "server/api/000_produce.h"
#include "server/api/001_fetch.h"
#include "server/api/018_api_versions.h"
#include "server/api/019_create_topics.h"
#include "server/api/022_init_producer_id.h"

namespace klamm::server {
namespace {

using protocol::ApiKey;

// A row as Kafka 4.4 has it: all stable versions, advertised as they are served.
ServedApi row(ApiKey key, std::unique_ptr<ApiHandler> handler) {
  const protocol::ApiRow& api = protocol::api_row(key);
  ServedApi served;
  served.api = &api;
  served.versions = api.stable();
  served.advertised_low = served.versions.low;
  served.handler = std::move(handler);
  return served;
}

}  // namespace

void add_apis(ApiTable& table, const ApiParts& p) {
  {
    ServedApi produce = row(ApiKey::produce, std::make_unique<ProduceHandler>(p.environment, p.metadata, p.partitions, p.authorizer));
    produce.advertised_low = 0;  // librdkafka looks for it (KAFKA-18659)
    produce.overlaps_itself = true;
    table.add(std::move(produce));
  }
  table.add(row(ApiKey::fetch, std::make_unique<FetchHandler>(p)));
  {
    ServedApi versions = row(ApiKey::api_versions, std::make_unique<ApiVersionsHandler>(table, p.metadata, p.cluster_id, p.node_id, p.kraft_version));
    versions.on_controller = true;
    table.add(std::move(versions));
  }
  table.add(row(ApiKey::create_topics, std::make_unique<CreateTopicsHandler>(p.controller, p.authorizer)));
  table.add(row(ApiKey::init_producer_id,
                std::make_unique<InitProducerIdHandler>(p.environment, p.controller, p.node_id, p.broker_epoch, p.authorizer)));
}

}  // namespace klamm::server
