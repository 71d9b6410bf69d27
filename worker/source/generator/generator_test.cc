#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "worker/source/generator/generator_source.h"
#include "worker/source/source_testing.h"

namespace millrace::worker {
namespace {

using testing::CollectingConsumer;
using testing::SourceDriver;

api::GeneratorSource Preset(api::GeneratorSource::Preset preset) {
  api::GeneratorSource spec;
  spec.preset = preset;
  spec.rate = 10'000;
  return spec;
}

api::GeneratorSource Nexmark() { return Preset(api::GeneratorSource::Preset::kNexmark); }

std::unique_ptr<Source> Made(const api::GeneratorSource& spec, SchemaRef wanted = nullptr) {
  SourceOptions options;
  options.wanted = std::move(wanted);
  auto source = GeneratorSource::Create("gen", spec, options);
  EXPECT_TRUE(source.ok()) << source.status();
  return std::move(source).value();
}

RecordBatch Events(size_t count, uint64_t first = 0) {
  return MakeNexmark({first, 1, count, 10'000}, std::make_shared<Schema>(NexmarkSchema()));
}

const Column& Member(const RecordBatch& batch, std::string_view name, std::string_view member) {
  const Column* column = batch.Find(name);
  return *column->children[static_cast<size_t>(column->type().FindField(member))];
}

TEST(NexmarkTest, HasOnePersonThreeAuctionsAndFortySixBidsInFifty) {
  const RecordBatch batch = Events(50'000);
  std::map<std::string_view, int> kinds;
  for (const std::string_view kind : batch.Find("kind")->strings) ++kinds[kind];
  EXPECT_EQ(kinds["person"], 1000);
  EXPECT_EQ(kinds["auction"], 3000);
  EXPECT_EQ(kinds["bid"], 46'000);
  for (size_t row = 0; row < 100; ++row) {
    const std::string_view kind = batch.Find("kind")->strings[row];
    for (const char* name : {"person", "auction", "bid"}) {
      EXPECT_EQ(batch.Find(name)->IsNull(row), kind != name);
    }
  }
}

TEST(NexmarkTest, NumbersPersonsAndAuctionsWithoutGapsFromAThousand) {
  const RecordBatch batch = Events(5000);
  int64_t person = 1000, auction = 1000;
  for (size_t row = 0; row < 5000; ++row) {
    const std::string_view kind = batch.Find("kind")->strings[row];
    if (kind == "person") {
      EXPECT_EQ(Member(batch, "person", "id").ints[row], person++);
    }
    if (kind == "auction") {
      EXPECT_EQ(Member(batch, "auction", "id").ints[row], auction++);
    }
  }
}

TEST(NexmarkTest, DrawsIdsPricesAndTimesFromTheirRanges) {
  const size_t count = 50'000;
  const RecordBatch batch = Events(count, 1'000'000);
  double hot_auctions = 0, hot_bidders = 0, cheap = 0, bids = 0;
  for (size_t row = 0; row < count; ++row) {
    const int64_t n = 1'000'000 + static_cast<int64_t>(row);
    EXPECT_EQ(batch.Find("at")->ints[row], kEventTimeBase + n * 100);
    if (batch.Find("bid")->IsNull(row)) continue;
    ++bids;
    const int64_t last_auction = n / 50 * 3 + 2, last_person = n / 50;
    const int64_t auction = Member(batch, "bid", "auction").ints[row] - 1000;
    const int64_t bidder = Member(batch, "bid", "bidder").ints[row] - 1000;
    const int64_t price = Member(batch, "bid", "price").ints[row];
    hot_auctions += auction == last_auction / 100 * 100 ? 1 : 0;
    hot_bidders += bidder == last_person / 100 * 100 + 1 ? 1 : 0;
    cheap += price < 10'000 ? 1 : 0;
    ASSERT_GE(auction, last_auction - 101);
    ASSERT_LE(auction, last_auction + 10);
    ASSERT_GT(bidder, last_person - 1000);
    ASSERT_LE(bidder, last_person + 10);
    ASSERT_GE(price, 100);
    ASSERT_LE(price, 100'000'000);
  }
  EXPECT_NEAR(hot_auctions / bids, 0.5, 0.02);
  EXPECT_NEAR(hot_bidders / bids, 0.75, 0.02);
  EXPECT_NEAR(cheap / bids, 1.0 / 3, 0.02);
}

TEST(NexmarkTest, ClosesAuctionsAroundAHundredLaterOnes) {
  const RecordBatch batch = Events(10'000);
  int64_t sum = 0, auctions = 0;
  for (size_t row = 0; row < 10'000; ++row) {
    if (batch.Find("auction")->IsNull(row)) continue;
    const int64_t length =
        Member(batch, "auction", "expires").ints[row] - Member(batch, "auction", "at").ints[row];
    ASSERT_GE(length, 1000);
    ASSERT_LE(length, 2 * 166'000);
    const int64_t category = Member(batch, "auction", "category").ints[row];
    ASSERT_TRUE(category >= 10 && category < 15);
    sum += length;
    ++auctions;
  }
  EXPECT_NEAR(static_cast<double>(sum) / static_cast<double>(auctions), 166'000, 10'000);
}

TEST(NexmarkTest, IsTheSameInAnyNumberOfPartitionsAndWithFewerFields) {
  const RecordBatch all = Events(3000);
  const Schema narrow(
      {{"bid",
        Type::Struct({{"price", Type(Kind::kInt)}, {"url", Type(Kind::kString)}}).AsNullable()}});
  for (uint64_t p = 0; p < 3; ++p) {
    const RecordBatch part = MakeNexmark({p, 3, 1000, 10'000}, std::make_shared<Schema>(narrow));
    for (size_t row = 0; row < 1000; ++row) {
      const size_t n = row * 3 + p;
      ASSERT_EQ(part.Find("bid")->IsNull(row), all.Find("bid")->IsNull(n));
      ASSERT_EQ(Member(part, "bid", "price").ints[row], Member(all, "bid", "price").ints[n]);
      ASSERT_EQ(Member(part, "bid", "url").strings[row], Member(all, "bid", "url").strings[n]);
    }
  }
}

TEST(YsbTest, LetsTheCampaignBeReadFromTheAd) {
  const RecordBatch batch = MakeYsb({0, 1, 30'000, 1000}, std::make_shared<Schema>(YsbSchema()));
  std::set<int> campaigns, ads;
  int views = 0;
  for (size_t row = 0; row < 30'000; ++row) {
    const std::string_view ad = batch.Find("ad_id")->strings[row];
    ASSERT_EQ(ad.size(), 36u);
    const int number = std::stoi(std::string(ad.substr(32)));
    ads.insert(number);
    campaigns.insert(number / 10);
    views += batch.Find("event_type")->strings[row] == "view" ? 1 : 0;
  }
  EXPECT_EQ(ads.size(), 1000u);
  EXPECT_EQ(campaigns.size(), 100u);
  EXPECT_NEAR(views, 10'000, 400);
}

// ---- pacing
// -------------------------------------------------------------------------------------------------

int64_t Planned(SourceDriver* driver, int64_t max_records = 0) {
  const auto offer = driver->Plan(max_records);
  EXPECT_TRUE(offer.ok()) << offer.status();
  int64_t records = 0;
  for (const auto& range : offer->ranges) records += range.records;
  return records;
}

TEST(GeneratorTest, OffersWhatIsDueAndEndsAtTheCount) {
  api::GeneratorSource spec = Nexmark();
  spec.rate = 10;
  spec.partitions = 3;
  spec.count = 25;
  auto source = Made(spec);
  ASSERT_TRUE(source->Start({}).ok());
  SourceDriver driver(source.get());
  EXPECT_EQ(Planned(&driver), 0);
  EXPECT_EQ(Planned(&driver), 10);
  driver.time += std::chrono::milliseconds(500);
  EXPECT_EQ(Planned(&driver), 15);
  EXPECT_TRUE(driver.ended);
  EXPECT_EQ(driver.position.offsets, (std::map<int, std::string>{{0, "9"}, {1, "8"}, {2, "8"}}));
}

TEST(GeneratorTest, IsLimitedPerPartitionAndCatchesUpLater) {
  api::GeneratorSource spec = Nexmark();
  spec.rate = 1'000'000'000;
  spec.partitions = 2;
  auto source = Made(spec);
  ASSERT_TRUE(source->Start({}).ok());
  SourceDriver driver(source.get());
  Planned(&driver);
  EXPECT_EQ(Planned(&driver, 100), 200);
  EXPECT_EQ(Planned(&driver), 2 * static_cast<int64_t>(GeneratorSource::kMaxRangeRecords));
}

TEST(GeneratorTest, GoesOnAtItsRateAfterARestart) {
  api::GeneratorSource spec = Nexmark();
  spec.rate = 10;
  auto source = Made(spec);
  ASSERT_TRUE(source->Start({}).ok());
  SourceDriver driver(source.get());
  driver.position.offsets[0] = "1000";
  EXPECT_EQ(Planned(&driver), 0);
  EXPECT_EQ(Planned(&driver), 10);
  EXPECT_EQ(driver.last.front().to, "1010");
}

TEST(GeneratorTest, RefusesRangesOfAnotherSpecification) {
  api::GeneratorSource spec = Nexmark();
  auto source = Made(spec);
  SourceDriver driver(source.get());
  Planned(&driver);
  ASSERT_GT(Planned(&driver), 0);
  CollectingConsumer consumer;
  EXPECT_TRUE(source->Read(driver.last.front(), &consumer).ok());
  spec.rate = 7;
  EXPECT_EQ(Made(spec)->Read(driver.last.front(), &consumer).code(), StatusCode::kGone);
}

TEST(GeneratorTest, FillsThePositionWhenAsked) {
  auto source =
      Made(Nexmark(), std::make_shared<Schema>(Schema({{"__position", Type(Kind::kUint)}})));
  SourceDriver driver(source.get());
  Planned(&driver);
  ASSERT_GT(Planned(&driver), 0);
  CollectingConsumer consumer;
  ASSERT_TRUE(source->Read(driver.last.front(), &consumer).ok());
  EXPECT_EQ(consumer.batches[1].column(0).uints[0], consumer.batches[0].num_rows());
}

}  // namespace
}  // namespace millrace::worker
