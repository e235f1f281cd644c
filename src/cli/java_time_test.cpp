#include "cli/java_time.h"

#include <gtest/gtest.h>

namespace klamm::cli {
namespace {

constexpr std::int64_t new_year_2020 = 1'577'836'800'000;

std::string refusal(auto action) {
  try {
    action();
  } catch (const JavaException& exception) {
    return exception.to_string();
  }
  return "none";
}

TEST(JavaTime, IsReadAsSimpleDateFormatReadsIt) {
  const std::pair<const char*, std::int64_t> times[] = {
      {"2020-01-01T00:00:00.000", new_year_2020},
      {"2020-01-01T00:00:00.000Z", new_year_2020},
      {"2020-1-1T0:0:0.5", new_year_2020 + 5},  // milliseconds, however many digits
      {" 2020-01-01T 00:00:00.000", new_year_2020},
      {"2020-01-01T02:00:00.000+02:00", new_year_2020},
      {"2020-01-01T02:00:00.000+0200", new_year_2020},
      {"2019-12-31T22:30:00.000-01:30", new_year_2020},
      {"2020-01-01T02:00:00.000+02", new_year_2020},
      {"2020-01-01T00:00:00.000Zjunk", new_year_2020},
      {"2020-02-29T12:34:56.789", 1'582'979'696'789},
      {"1970-01-01T00:00:00.000", 0},
      {"1969-12-31T23:59:59.999", -1},
      {"2000-03-01T00:00:00.000", 951'868'800'000},
  };
  for (const auto& [text, expected] : times) EXPECT_EQ(java_date_time(text), expected) << text;
}

TEST(JavaTime, IsRefusedAsSimpleDateFormatRefusesIt) {
  for (const std::string text : {"2020-13-01T00:00:00.000", "2020-02-30T00:00:00.000", "2019-02-29T00:00:00.000",
                                 "2020-01-01T24:00:00.000", "2020-01-01T00:00:60.000", "2020-01-01T00:00:00.1000",
                                 "2020-01-01T00:00:00,000", "0-01-01T00:00:00.000", "+2020-01-01T00:00:00.000"}) {
    EXPECT_EQ(refusal([&] { java_date_time(text); }),
              fmt::format("java.text.ParseException: Unparseable date: \"{}Z\"", text));
  }
  for (const std::string text : {"2020-01-01T00:00:00.000+25:00", "2020-01-01T00:00:00.000-"}) {
    EXPECT_EQ(refusal([&] { java_date_time(text); }),
              fmt::format("java.text.ParseException: Unparseable date: \"{}\"", text));
  }
  for (const std::string text : {"bogus", "", "T", "20T", "2020-01-01TT"}) {
    EXPECT_EQ(
        refusal([&] { java_date_time(text); }),
        "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
        << text;
  }
}

TEST(JavaTime, ADurationGoesBackFromNow) {
  constexpr std::int64_t now = new_year_2020 + 250;
  const std::pair<const char*, std::int64_t> durations[] = {
      {"PT0S", now},
      {"P1D", now - 86'400'000},
      {"p1dt1h", now - 90'000'000},
      {"PT1H2M3.5S", now - 3'723'500},
      {"PT1,5S", now - 1'500},
      {"-P1D", now + 86'400'000},
      {"P-1D", now + 86'400'000},
      {"-PT-1.5S", now - 1'500},
      {"PT0.000000001S", now - 1},  // whole milliseconds before
  };
  for (const auto& [text, expected] : durations) EXPECT_EQ(java_time_before(text, now), expected) << text;
}

TEST(JavaTime, ADurationIsRefusedAsJavaRefusesIt) {
  const std::string unreadable = "java.time.format.DateTimeParseException: Text cannot be parsed to a Duration";
  for (const std::string text : {"", "P", "PT", "P1DT", "P1W", "PT.5S", "PT1H1H", "P1H", "PT1D", "PT1M1H", "1D",
                                 "PT1.1234567891S", "PT1.5H", "bogus"}) {
    EXPECT_EQ(refusal([&] { java_time_before(text, 0); }), unreadable) << text;
  }
  EXPECT_EQ(refusal([] { java_time_before("P99999999999999999999D", 0); }), unreadable + ": days");
  EXPECT_EQ(refusal([] { java_time_before("PT9999999999999999H", 0); }), unreadable + ": hours");
  EXPECT_EQ(refusal([] { java_time_before("PT9223372036854775807S", 0); }),
            "java.time.DateTimeException: Instant exceeds minimum or maximum instant");
  try {
    java_time_before("P99999999999999999999D", 0);
    FAIL() << "it was taken";
  } catch (const JavaException& exception) {
    EXPECT_EQ(exception.cause()->to_string(),
              "java.lang.NumberFormatException: Error at index 18 in: \"99999999999999999999\"");
  }
}

}  // namespace
}  // namespace klamm::cli
