// What the program says, where, and with which exit code.
#include <gtest/gtest.h>

#include <cstdlib>

#include "passes/pipeline.h"
#include "run.h"

namespace {

const std::string example = "examples/breast_cancer.nn";

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(CommandLine, HelpAndVersionAreResults) {
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_TRUE(has(run({"--help"}).out, "nnc train net.nn hidden=32"));
  EXPECT_TRUE(run({"--version"}).out.starts_with("nnc "));
  EXPECT_TRUE(has(run({"--version"}).out, "LLVM 19"));
  const Ran nothing = run({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(nothing.out, "");
  EXPECT_TRUE(has(nothing.err, "Usage"));
}

TEST(CommandLine, UnknownNamesComeWithTheNearest) {
  struct Case {
    std::vector<std::string> words;
    std::string name, nearest;
  };
  const Case cases[] = {
      {{"trian", example}, "no command `trian`", "`train`"},
      {{"ir", example, "--stage=jont"}, "no stage `jont`", "`joint`"},
      {{"ir", example, "--function=stepp"}, "no function `stepp`", "`step`"},
      {{"ir", example, "--dump-after=simplfy"}, "no pass `simplfy`", "`simplify`"},
      {{"ir", example, "--stop-after=simplfy"}, "no pass `simplfy`", "`simplify`"},
      {{"train", example, "--disable-pass=schedul"}, "no pass `schedul`", "`schedule`"},
      {{"train", example, "--cpu=avx521"}, "no cpu `avx521`", "`avx512`"},
      {{"train", example, "--interpret=grpah"}, "no interpreter `grpah`", "`graph`"},
      {{"explain", "E3O1"}, "no diagnostic `E3O1`", "`E301`"},
      {{"check", example, "train.epoch=3"}, "no setting `train.epoch`", "`train.epochs` (now 100)"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Ran ran = run(c.words);
    EXPECT_EQ(ran.code, 2);
    EXPECT_EQ(ran.out, "");
    EXPECT_TRUE(has(ran.err, c.name)) << ran.err;
    EXPECT_TRUE(has(ran.err, c.nearest)) << ran.err;
  }
}

TEST(CommandLine, WrongUseIsExitCode2) {
  const std::vector<std::vector<std::string>> cases = {
      {"check"},
      {"train", example, "hidden"},
      {"train", example, "=3"},
      {"train", example, "--threads=0"},
      {"bench", example, "--seconds=-1"},
      {"train", example, "--treads=1"},
      {"check", "no-such-file.nn"},
      {"train", example, "hidden=wide"},
      {"train", example, "train.clip=norm(0)"},
      {"ir", example, "--stage=loop", "--stop-after=simplify"},
      {"ir", example, "--stage=graph", "--function=backward"},
      {"ir", example, "--interpret=loop", "--function=backward"},
  };
  for (const auto& words : cases) {
    SCOPED_TRACE(words.back());
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err, "");
  }
}

TEST(CommandLine, CheckCountsParameters) {
  const Ran ran = run({"check", example});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out,
            example +
                ": ok, 4,097 parameters\n"
                "breast_cancer.csv: 569 rows; columns: 30 of numbers (mean_radius, mean_texture, mean_perimeter, "
                "mean_area, …), 1 of text (diagnosis: 2 categories)\n");
  EXPECT_EQ(ran.err, "");
  const auto json = run({"check", example, "hidden=2", "--json"}).json();
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["schema"], 1);
  EXPECT_EQ(json[0]["parameters"], 30 * 2 + 2 + 2 * 1 + 1 + 1 + 1);
  ASSERT_EQ(json[0]["columns"].size(), 31u);
  EXPECT_EQ(json[0]["columns"][30],
            (nlohmann::json{{"name", "diagnosis"}, {"kind", "text"}, {"missing", 0}, {"categories", 2}}));
}

TEST(CommandLine, ErrorsAsJsonAreResults) {
  const Ran ran = run({"check", example, "train.epoch=3", "--json"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err, "");
  ASSERT_EQ(ran.json().size(), 1u);
  EXPECT_EQ(ran.json()[0]["code"], "E701");
}

TEST(CommandLine, PathsAreRelativeToWhatSaysThem) {
  const ModelFile file(
      "option table = \"data.csv\"\n"
      "model M { input x: [batch]  target y: [batch]  loss mse = mse(x |> unsqueeze(-1) |> Linear(1) |> squeeze(-1), "
      "y) }\n"
      "data { source = csv(table)  x = col(\"a\")  y = col(\"b\") }\n",
      "a,b\n1,2\n2,4\n3,6\n");
  EXPECT_EQ(run_in("docs", {"check", file.path}).code, 0);
  const Ran missing = run_in("docs", {"check", file.path, "table=data.csv"});
  EXPECT_EQ(missing.code, 3) << "a path on the command line is relative to the current folder";
  EXPECT_TRUE(has(missing.err, "E604")) << missing.err;
  EXPECT_EQ(run_in("docs", {"check", file.path, "table=" + file.folder + "/data.csv"}).code, 0);
  EXPECT_EQ(run_in("docs", {"check", file.path, "data.source=csv(\"data.csv\")"}).code, 3);
}

TEST(CommandLine, TrainingNeedsAnOptimizer) {
  const ModelFile file(
      "model M { input x: [batch]  target y: [batch]  loss mse = mse(x |> unsqueeze(-1) |> Linear(1) |> squeeze(-1), "
      "y) }\n"
      "data { source = csv(\"data.csv\")  x = col(\"a\")  y = col(\"b\") }\n",
      "a,b\n1,2\n2,4\n3,6\n");
  for (const char* command : {"train", "bench", "ir"}) {
    const Ran ran = run({command, file.path});
    EXPECT_EQ(ran.code, 2) << command;
    EXPECT_TRUE(has(ran.err, "E503")) << ran.err;
  }
  EXPECT_EQ(run({"train", file.path, "train.optimizer=SGD(lr = 0.01)", "train.epochs=1"}).code, 0);
}

TEST(CommandLine, FieldsWithoutDataAreNamed) {
  const ModelFile file("model M { input x: [batch]  target y: [batch]  loss mse = mse(x, y) }\n");
  const Ran ran = run({"check", file.path});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(has(ran.err, "E407")) << ran.err;
}

TEST(CommandLine, EveryStageIsPrinted) {
  const std::pair<const char*, const char*> stages[] = {{"ast", "model BreastCancer {"},
                                                        {"graph", "graph step of BreastCancer at B=32"},
                                                        {"joint", "upd:"},
                                                        {"plan", "plan step of BreastCancer at B=32"},
                                                        {"loop", "kernel step_"},
                                                        {"llvm", "define void @step"},
                                                        {"asm", ".text"}};
  for (const auto& [stage, part] : stages) {
    SCOPED_TRACE(stage);
    const Ran ran = run({"ir", example, std::string("--stage=") + stage});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_TRUE(has(ran.out, part)) << ran.out.substr(0, 200);
    EXPECT_EQ(ran.err, "");
  }
}

TEST(CommandLine, FunctionsAndPassesAreChosen) {
  const Ran all = run({"ir", example, "--function=all"});
  for (const char* name : {"initialize", "step", "evaluate", "predict"})
    EXPECT_TRUE(has(all.out, std::string("graph ") + name + " of ")) << name;
  EXPECT_TRUE(has(all.out, "graph step of BreastCancer at B=7 "));
  const Ran backward = run({"ir", example, "--function=backward"});
  EXPECT_TRUE(backward.out.starts_with("graph backward of BreastCancer at B=32"));
  EXPECT_FALSE(has(backward.out, "graph step"));
  EXPECT_FALSE(has(run({"ir", example, "--stop-after=differentiate"}).out, "upd:"));
  EXPECT_TRUE(run({"ir", example, "--stop-after=form_regions"}).out.starts_with("plan step"));
  EXPECT_TRUE(run({"ir", example, "--dump-after=append_update"}).out.starts_with("graph step"));
  const Ran timed = run({"ir", example, "--time-passes"});
  EXPECT_TRUE(has(timed.err, "differentiate")) << timed.err;
  const std::string loops = run({"ir", example, "--stage=loop", "--function=evaluate"}).out;
  EXPECT_TRUE(has(loops, "entry evaluate"));
  EXPECT_FALSE(has(loops, "entry step"));
}

TEST(CommandLine, ExplainsAndLists) {
  EXPECT_TRUE(has(run({"explain", "e301"}).out, "E301"));
  const std::string table = run({"passes"}).out;
  for (const nnc::PassInfo& pass : nnc::pass_table()) EXPECT_TRUE(has(table, std::string(pass.name))) << pass.name;
  EXPECT_EQ(run({"passes", "--json"}).json().size(), nnc::pass_table().size());
}

TEST(CommandLine, DoctorKnowsTheMachine) {
  const auto json = run({"doctor", "--json"}).json();
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["schema"], 1);
  EXPECT_TRUE(json[0]["native_code"]);
  EXPECT_GE(json[0]["cores"], 1);
  EXPECT_EQ(json[0]["targets"].back(), "sse2");
  EXPECT_TRUE(has(run({"doctor"}).out, "native code  works"));
}

TEST(CommandLine, AwayFromATerminalThereIsNoColourAndNoRedrawing) {
  const Ran ran = run({"train", example, "train.epochs=2"});
  EXPECT_EQ(ran.code, 0);
  for (const std::string* text : {&ran.out, &ran.err})
    EXPECT_EQ(text->find_first_of("\r\x1b"), std::string::npos) << *text;
  EXPECT_TRUE(has(ran.err, "4,097 parameters"));
  EXPECT_TRUE(has(ran.err, "epoch 2/2"));
  EXPECT_TRUE(has(ran.out, "accuracy"));
  EXPECT_TRUE(has(ran.out, "nnc bench " + example));
  EXPECT_FALSE(has(ran.out, "epoch 2/2"));
  EXPECT_EQ(run({"train", example, "train.epochs=2", "--quiet"}).err, "");
}

}  // namespace
