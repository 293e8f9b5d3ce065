// Runs on disk: saved, opened again, gone on with after any end, bit for bit.
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "run.h"
#include "run_folders.h"
#include "runtime/checkpoint/checkpoint.h"
#include "runtime/checkpoint/run_lock.h"

namespace {

namespace fs = std::filesystem;
using namespace nnc::test;

const std::string model = R"(option hidden = 16
model Net {
  input  x: [batch, features]
  target y: [batch]
  h = x |> Linear(hidden) |> relu |> Dropout(0.2)
  logit = h |> Linear(1) |> squeeze(-1)
  output p = sigmoid(logit)
  loss   bce = bce_with_logits(logit, y)
  metric hits = mean((p > 0.5) == (y > 0.5))
}
data {
  source = csv("data.csv")
  split  = random(val = 0.25, seed = 3)
  x = col("a", "b") |> standard()
  y = col("kind") |> binary(positive = "good")
}
train {
  optimizer = Adam(lr = cosine(1e-2))
  batch  = mini(8)
  epochs = 12
  stop   = early("val.bce", patience = 10000, restore = true)
}
)";

TEST(Runs, EndTheSameHoweverOftenTheyAreInterrupted) {
  const ModelFile file(model, two_class_table(300));
  const std::vector<std::string> train = {"train", file.path, "train.epochs=3000", "--save-every=0"};
  const auto in = [&](const std::string& folder) {
    std::vector<std::string> all = train;
    all.push_back("--run-dir=" + file.folder + "/" + folder);
    return all;
  };
  ASSERT_EQ(run(in("whole")).code, 0);
  const std::string whole = file.folder + "/whole/net-1", broken = file.folder + "/broken/net-1";
  const int first = run_and_signal(in("broken"), broken, SIGINT, 3);
  int interrupted = first == 130;
  int at = 0;
  for (const int signal : {SIGKILL, SIGTERM, SIGKILL, SIGINT}) {
    const int code = run_and_signal({"resume", broken, "--save-every=0"}, broken, signal, 5 + 10 * at++);
    EXPECT_TRUE(code == 0 || code == (signal == SIGKILL ? -SIGKILL : 128 + signal)) << code;
    interrupted += code != 0;
  }
  EXPECT_GE(interrupted, 1) << "the run was over too soon to be interrupted";
  const Ran last = run({"resume", broken, "--threads=2"});
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_TRUE(final_states(broken) == final_states(whole)) << "the states differ";
  EXPECT_EQ(metrics_without_seconds(broken), metrics_without_seconds(whole));
}

TEST(Runs, KeepAllThatUsingThemNeeds) {
  const ModelFile file(model, two_class_table(120));
  const Ran trained = run({"train", file.path, "--json", "hidden=8", "--run-dir=" + file.folder + "/runs"});
  ASSERT_EQ(trained.code, 0) << trained.err << trained.out;
  const std::string run_folder = file.folder + "/runs/net-1";
  EXPECT_EQ(trained.json().front()["run"], run_folder);
  EXPECT_EQ(read_text(run_folder + "/config.nn"), model);
  const auto info = nlohmann::json::parse(read_text(run_folder + "/run.json"));
  EXPECT_EQ(info["status"], "finished");
  EXPECT_EQ(info["settings"], nlohmann::json({"hidden=8"}));
  EXPECT_EQ(info["epochs"], 12);
  for (const char* name : {"metrics.csv", "fitted.json"}) EXPECT_TRUE(fs::exists(run_folder + "/" + name)) << name;

  fs::remove(file.path);  // the run keeps its model
  const auto parts = run({"eval", run_folder, "--json"}).json();
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0]["train"]["rows"], 90);
  EXPECT_NEAR(parts[0]["val"]["measures"]["bce"].get<double>(), info["val"]["bce"].get<double>(), 1e-12)
      << "the best weights are those that training ended with";

  std::ofstream(file.folder + "/new.csv") << "b,a\n0.5,1.5\n-1,2\n3,1\n";
  const Ran predicted =
      run({"predict", run_folder, "--input", file.folder + "/new.csv", "--output", file.folder + "/p.csv"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  std::istringstream lines(read_text(file.folder + "/p.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "p,predicted_kind");
  int rows = 0;
  for (; std::getline(lines, line); ++rows) {
    const double p = std::stod(line);
    EXPECT_TRUE(p > 0 && p < 1);
    EXPECT_EQ(line.substr(line.find(',') + 1), p > 0.5 ? "good" : "bad");
  }
  EXPECT_EQ(rows, 3);
  const auto objects = run({"predict", run_folder, "--input", file.folder + "/new.csv", "--json"}).json();
  ASSERT_EQ(objects.size(), 3u);
  EXPECT_TRUE(objects[0]["p"].is_number());
  const auto other = run({"eval", run_folder, "--data", file.folder + "/data.csv", "--json"}).json();
  EXPECT_EQ(other.at(0)["data"]["rows"], 120);

  const Ran longer = run({"resume", run_folder, "train.epochs=14", "--json"});
  ASSERT_EQ(longer.code, 0) << longer.err << longer.out;
  EXPECT_EQ(longer.json().back()["event"], "end");
  EXPECT_EQ(nlohmann::json::parse(read_text(run_folder + "/run.json"))["epochs"], 14);
}

TEST(Runs, ClassesGiveTheirNamesToOutputs) {
  const ModelFile file(R"(model Net {
  input  x: [batch, features]
  target y: i32<classes>[batch]
  logits = x |> Linear(classes)
  output probs = softmax(logits)
  loss   ce = cross_entropy(logits, y)
}
data {
  source = csv("data.csv")
  x = col("a", "b")
  y = col("kind") |> ordinal(["red", "deep blue", "gre,en"])
}
train {
  optimizer = SGD(lr = 0.1)
  epochs = 3
}
)",
                       "a,b,kind\n1,2,red\n2,1,deep blue\n3,3,\"gre,en\"\n4,0,red\n");
  ASSERT_EQ(run({"train", file.path, "--run-dir", file.folder}).code, 0);
  const Ran predicted = run({"predict", file.folder + "/net-1", "--input", file.folder + "/data.csv"});
  EXPECT_EQ(predicted.out.substr(0, predicted.out.find('\n')),
            "probs_red,probs_deep blue,\"probs_gre,en\",predicted_kind")
      << predicted.err;
}

TEST(Runs, WeightsComeFromOtherRuns) {
  const ModelFile file(model, two_class_table(80));
  const std::string runs = file.folder + "/runs";
  ASSERT_EQ(run({"train", file.path, "--run-dir", runs}).code, 0);
  const auto first_loss = [&](const std::string& from) {
    const Ran ran = run({"train", file.path, "--json", "train.epochs=1", "train.init_from=" + from});
    EXPECT_EQ(ran.code, 0) << ran.out;
    return ran.code == 0 ? ran.json().at(1)["val"]["bce"].get<double>() : 0.0;
  };
  const double from_run = first_loss(runs + "/net-1");
  EXPECT_EQ(first_loss(newest_checkpoint(runs + "/net-1", "best") + "/model.safetensors"), from_run);
  const Ran fresh = run({"train", file.path, "--json", "train.epochs=1"});
  EXPECT_LT(from_run, fresh.json().at(1)["val"]["bce"].get<double>());
  EXPECT_EQ(run({"train", file.path, "hidden=5", "train.init_from=" + runs + "/net-1"}).code, 5);
}

TEST(Runs, WeightsOfPyTorchGiveItsOutputs) {
  const std::string goldens = std::string(NNC_SOURCE_DIR) + "/tests/goldens/torch_weights";
  const ModelFile file("", "");
  const Ran trained = run({"train", goldens + "/net.nn", "--run-dir", file.folder});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto rows = run({"predict", file.folder + "/net-1", "--input", goldens + "/rows.csv", "--json"}).json();
  const auto expected = nlohmann::json::parse(read_text(goldens + "/expected.json"));
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t k = 0; k < rows.size(); ++k) EXPECT_NEAR(rows[k]["p"].get<double>(), expected[k].get<double>(), 1e-6);
}

TEST(Runs, FoldsAreSummarized) {
  const ModelFile file(model, two_class_table(60));
  const auto lines = run({"train", file.path, "--json", "train.epochs=2", "--fold=all/3"}).json();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back()["event"], "folds");
  const auto& bce = lines.back()["val"]["bce"];
  ASSERT_EQ(bce["values"].size(), 3u);
  double sum = 0, squares = 0;
  for (const double value : bce["values"]) sum += value;
  for (const double value : bce["values"]) squares += (value - sum / 3) * (value - sum / 3);
  EXPECT_NEAR(bce["mean"].get<double>(), sum / 3, 1e-12);
  EXPECT_NEAR(bce["sd"].get<double>(), std::sqrt(squares / 2), 1e-12);
  EXPECT_NE(run({"train", file.path, "train.epochs=2", "--fold=all/3"}).out.find(" ± "), std::string::npos);
  EXPECT_EQ(run({"train", file.path, "train.epochs=2", "--fold=2/3"}).code, 0);
  for (const char* fold : {"0/3", "4/3", "1/1", "x", "all", "/", "1/3x"}) {
    EXPECT_EQ(run({"train", file.path, std::string("--fold=") + fold}).code, 2) << fold;
  }
}

// Compares with tests/goldens/run_errors/NAME.expected; paths of the test's folder become FOLDER.
void expect_golden(const std::string& name, const Ran& ran, const std::string& folder) {
  std::string actual = ran.err + "exit " + std::to_string(ran.code) + "\n";
  for (size_t at = actual.find(folder); at != std::string::npos; at = actual.find(folder)) {
    actual.replace(at, folder.size(), "FOLDER");
  }
  const fs::path golden = fs::path(NNC_SOURCE_DIR) / "tests" / "goldens" / "run_errors" / (name + ".expected");
  if (std::getenv("NNC_BLESS") != nullptr) {
    std::ofstream(golden, std::ios::binary) << actual;
  } else {
    EXPECT_EQ(read_text(golden), actual) << name << ": NNC_BLESS=1 accepts the new text";
  }
}

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

TEST(Runs, AreTrainedByOneProcessAtATime) {
  const ModelFile file(model, two_class_table(60));
  const std::string first = file.folder + "/net-1";
  ASSERT_EQ(run({"train", file.path, "train.epochs=2", "--run-dir", file.folder}).code, 0);
  {
    const auto lock = nnc::RunLock::take(first);
    ASSERT_TRUE(lock);
    Ran second = run({"resume", first});
    const std::string holder = read_text(first + "/lock").substr(0, read_text(first + "/lock").find('\n'));
    ASSERT_TRUE(holder.starts_with("process ")) << holder;
    const size_t at = second.err.find(holder);
    ASSERT_NE(at, std::string::npos) << second.err;
    second.err.replace(at, holder.size(), "process N on HOST");
    expect_golden("run_in_use", second, file.folder);
    EXPECT_EQ(run({"eval", first}).code, 0) << "reading needs no lock";
  }
  EXPECT_EQ(run({"resume", first, "train.epochs=3"}).code, 0);
}

// Killed between writing best/ and last/, a run holds a best epoch that its progress does not know yet.
TEST(Runs, GoOnWithABestEpochAheadOfThem) {
  const ModelFile file(model, two_class_table(120));
  const auto in = [&](const std::string& folder, const std::string& epochs) {
    return run({"train", file.path, epochs, "train.optimizer=Adam(lr = 1e-2)",
                "--run-dir=" + file.folder + "/" + folder})
        .code;
  };
  ASSERT_EQ(in("whole", "train.epochs=6"), 0);
  const std::string whole = file.folder + "/whole/net-1", broken = file.folder + "/broken/net-1";
  ASSERT_EQ(in("broken", "train.epochs=3"), 0);
  for (const auto& ahead : {"step-900000", "step-900001"})
    fs::copy(newest_checkpoint(whole, "best"), broken + "/best/" + ahead, fs::copy_options::recursive);
  const nnc::FoundCheckpoint best = nnc::find_checkpoints(whole + "/best").sound.at(0);
  ASSERT_GT(best.epoch, 3) << "the test needs an epoch better than those before";
  ASSERT_EQ(run({"resume", broken, "train.epochs=6"}).code, 0);
  EXPECT_TRUE(final_states(broken) == final_states(whole)) << "the states differ";
  EXPECT_FALSE(fs::exists(broken + "/best/step-900001"));
}

TEST(Runs, SayWhatIsWrong) {
  const ModelFile file(model, two_class_table(60));
  const std::string runs = file.folder + "/runs", first = runs + "/net-1";
  ASSERT_EQ(run({"train", file.path, "train.epochs=3", "--run-dir", runs}).code, 0);
  const auto golden = [&](const std::string& name, const std::vector<std::string>& arguments) {
    expect_golden(name, run(arguments), file.folder);
  };
  golden("no_run", {"resume", file.folder});
  golden("fixed_setting", {"resume", first, "hidden=3"});
  golden("other_optimizer", {"resume", first, "train.optimizer=SGD(lr = 0.1)"});
  golden("unwritable", {"train", file.path, "--run-dir", file.path + "/runs"});
  golden("no_weights", {"train", file.path, "train.init_from=none.safetensors"});
  const Ran other_shape = run({"train", file.path, "hidden=5", "train.init_from=" + first});
  EXPECT_EQ(other_shape.code, 5);
  EXPECT_NE(other_shape.err.find("`linear.weight` is F32[16, 2] in "), std::string::npos) << other_shape.err;
  golden("unwritable_output",
         {"predict", first, "--input", file.folder + "/data.csv", "--output", file.folder + "/none/p.csv"});

  write(file.folder + "/data.csv", two_class_table(61));
  golden("changed_data", {"resume", first});
  write(file.folder + "/data.csv", two_class_table(60));
  write(first + "/config.nn", model + "\n");
  golden("changed_model", {"resume", first});
  write(first + "/config.nn", model);

  EXPECT_EQ(run({"resume", first, "train.epochs=4"}).code, 0);
  const std::string last = newest_checkpoint(first, "last");
  const std::string weights = read_text(last + "/model.safetensors");
  write(last + "/model.safetensors", weights + "x");
  EXPECT_EQ(run({"resume", first}).code, 0) << "the checkpoint before it is sound";
  fs::remove_all(first + "/best");
  for (const auto& entry : fs::directory_iterator(first + "/last")) {
    if (entry.path().extension().empty()) write(entry.path() / "model.safetensors", "");
  }
  golden("damaged", {"eval", first});
  fs::remove_all(first + "/last");
  golden("no_checkpoint", {"eval", first});
  for (const char* content : {"", "[]", "{", "{}", R"({"file":"a","folder":"b","files":[],"resumed":1})",
                              R"({"file":"a","folder":"b","files":[],"seconds":"1"})",
                              R"({"file":"a","folder":"b","files":[{"path":"a","kept":"../x","xxh3":""}]})"}) {
    write(first + "/run.json", content);
    EXPECT_EQ(run({"resume", first}).code, 5) << content;
  }
}

// Types of fields size tensors, a fold's number sizes lists.
TEST(Runs, BoundWhatTheirFilesSay) {
  const ModelFile file(model, two_class_table(60));
  const std::string first = file.folder + "/net-1";
  ASSERT_EQ(run({"train", file.path, "train.epochs=1", "--run-dir", file.folder}).code, 0);
  const nlohmann::json info = nlohmann::json::parse(read_text(first + "/run.json"));
  const auto code = [&](const char* member, const nlohmann::json& value) {
    nlohmann::json changed = info;
    changed[member] = value;
    write(first + "/run.json", changed.dump());
    return run({"eval", first}).code;
  };
  const auto field = [](const nlohmann::json& dims) {
    return nlohmann::json::array({{{"name", "y"}, {"integers", false}, {"bound", 0}, {"dims", dims}}});
  };
  EXPECT_EQ(code("fields", field({1000, 1000})), 0) << "the data say more than run.json";
  EXPECT_EQ(code("fields", field(nlohmann::json::array({0}))), 5);
  EXPECT_EQ(code("fields", field(nlohmann::json::array({uint64_t{1} << 63}))), 5);
  EXPECT_EQ(code("fields", field({2000000000, 2000000000})), 5);
  EXPECT_EQ(code("fields", field(std::vector<int>(100, 1))), 5);
  EXPECT_EQ(code("fields", 3), 5);
  EXPECT_EQ(code("fields", {{{"name", "y"}, {"bound", -1}, {"dims", {1}}}}), 5);
  EXPECT_EQ(code("fold", {{"index", 1}, {"of", 1000000000000}}), 5);
  EXPECT_EQ(code("fold", {{"index", 4}, {"of", 3}}), 5);
}

TEST(Runs, AreReportedWithoutTheirDataToo) {
  const ModelFile file(model, two_class_table(60));
  const std::string first = file.folder + "/net-1";
  ASSERT_EQ(run({"train", file.path, "train.epochs=2", "--run-dir", file.folder}).code, 0);
  const nlohmann::json whole = run({"report", first, "--json"}).json().at(0);
  EXPECT_EQ(whole["page"], first + "/report.html");
  EXPECT_FALSE(whole.contains("missing"));
  EXPECT_EQ(whole["part"], "15 validation rows");
  const nlohmann::json& output = whole["outputs"].at(0);
  const nlohmann::json& matrix = output["confusion_matrix"];
  EXPECT_EQ(output["rows"], 15);
  EXPECT_EQ(matrix[0][0].get<int>() + matrix[0][1].get<int>() + matrix[1][0].get<int>() + matrix[1][1].get<int>(), 15);
  EXPECT_EQ(output["right"], matrix[0][0].get<int>() + matrix[1][1].get<int>());
  EXPECT_TRUE(output["auc"].is_number());
  EXPECT_TRUE(whole["last_epoch"]["val.bce"].is_number());

  fs::remove(file.folder + "/data.csv");
  const Ran ran = run({"report", first, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.out << ran.err;
  const nlohmann::json less = ran.json().at(0);
  EXPECT_NE(less["missing"].get<std::string>().find("cannot open"), std::string::npos) << less["missing"];
  EXPECT_EQ(less["outputs"].size(), 0u);
  EXPECT_EQ(less["parameters"], whole["parameters"]) << "weights need no data";
  const std::string page = read_text(first + "/report.html");
  EXPECT_NE(page.find("the data could not be read"), std::string::npos);
  EXPECT_EQ(page.find("Confusion matrix"), std::string::npos);
  EXPECT_EQ(run({"eval", first}).code, 3);
}

TEST(Runs, ThatTrainedNothingLeaveNoFolder) {
  const ModelFile file(model, two_class_table(60));
  const std::string runs = file.folder + "/runs";
  EXPECT_EQ(run({"train", file.path, "train.stop=early(\"val.nothing\")", "--run-dir", runs}).code, 2);
  EXPECT_FALSE(fs::exists(runs + "/net-1"));
  EXPECT_EQ(run({"train", file.path, "train.init_from=none.safetensors", "--run-dir", runs}).code, 3);
  EXPECT_FALSE(fs::exists(runs + "/net-1"));
  EXPECT_EQ(run({"train", file.path, "train.epochs=1", "--run-dir", runs}).code, 0);
  EXPECT_TRUE(fs::exists(runs + "/net-1/run.json"));
}

TEST(Runs, SayThatAnotherVersionBeganThem) {
  const ModelFile file(model, two_class_table(60));
  const std::string first = file.folder + "/net-1";
  ASSERT_EQ(run({"train", file.path, "train.epochs=1", "--run-dir", file.folder}).code, 0);
  EXPECT_EQ(run({"resume", first}).err.find("W801"), std::string::npos);
  nlohmann::json info = nlohmann::json::parse(read_text(first + "/run.json"));
  const std::string version = info["nnc"];
  info["nnc"] = "0.0.1";
  write(first + "/run.json", info.dump());
  for (const char* name : {"run.json.4711.tmp", "fitted.json.1.tmp"}) write(first + "/" + name, "{");
  for (const char* name : {"run.json.x.tmp", "report.html.1.tmp"}) write(first + "/" + name, "{");
  Ran resumed = run({"resume", first, "--quiet"});
  resumed.out.clear();
  for (size_t at; (at = resumed.err.find(version, resumed.err.find("this is"))) != std::string::npos;)
    resumed.err.replace(at, version.size(), "VERSION");
  expect_golden("other_version", resumed, file.folder);
  EXPECT_EQ(run({"resume", first, "--json"}).json().front()["code"], "W801");
  // What a killed process left is gone; what is not of a run's own files, or may be under way, is not.
  EXPECT_FALSE(fs::exists(first + "/run.json.4711.tmp"));
  EXPECT_FALSE(fs::exists(first + "/fitted.json.1.tmp"));
  EXPECT_TRUE(fs::exists(first + "/run.json.x.tmp"));
  EXPECT_TRUE(fs::exists(first + "/report.html.1.tmp"));
}

// A disk that is full is played by a limit on the size of files.
TEST(Runs, AFullDiskKeepsWhatWasSaved) {
  const ModelFile file(model, two_class_table(60));
  const std::string runs = file.folder + "/runs";
  Ran ran = run_limited(6000, {"train", file.path, "hidden=400", "--no-cache", "--run-dir", runs, "--save-every=0"});
  ran.err = ran.err.substr(std::min(ran.err.size(), ran.err.find("nnc: error")));
  expect_golden("full_disk", ran, file.folder);
  EXPECT_FALSE(fs::exists(runs + "/net-1/last/step-1.tmp"));
}

}  // namespace
