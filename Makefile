# Every target is one or two lines; what they call lies in scripts/. `make demo` needs nothing but this file and a shell.
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
EXAMPLE := examples/breast-cancer
PILOTS := brain-tumour pancreas surgical-phases chest-xray
COVERAGE := --cov --cov-report=
.PHONY: dev demo test test-podman test-apptainer test-portable mutants lint check bench docs docs-serve golden faults lock engine images pilots pilot-images clouds fets-scale tools

dev:  ## the environment of requirements.lock, in .venv
	@scripts/ensure-commands.sh git=git ssh-keygen=openssh-client
	@scripts/bootstrap.sh $(VENV)

engine:  ## a container engine that answers
	@scripts/ensure-engine.sh

images: dev engine  ## the base image and the images of the demo
	@PYTHON=$(BIN)/python $(EXAMPLE)/build.sh

demo: dev engine images  ## the whole story on real data
	@$(BIN)/python $(EXAMPLE)/demo.py

pilot-images: dev engine  ## the images of the four pilots
	@PYTHON=$(BIN)/python examples/kit/build.sh $(PILOTS)

pilots: pilot-images  ## the four pilots of the MedPerf paper on synthetic data, in one registry
	@$(BIN)/python examples/pilots.py

clouds: dev engine  ## the chest X-ray pilot at four sites on four clouds: networks, engines and keys of their own; needs root
	@PATH="$$PATH:/usr/sbin" scripts/ensure-commands.sh sshd=openssh-server ip=iproute2
	@PYTHON=$(BIN)/python examples/kit/build.sh chest-xray && $(if $(filter 0,$(shell id -u)),,sudo) $(BIN)/python examples/chest-xray/clouds/clouds.py

fets-scale: dev  ## a simulated challenge of 41 models at 32 sites; no engine needed; ARGS="--sites 5 --models 6"
	@$(BIN)/python examples/fets-scale/play.py $(ARGS) && $(BIN)/python examples/fets-scale/check_ranking.py fets-out

tools:  ## what only the tests need
	@PATH="$$PATH:/usr/sbin" scripts/ensure-commands.sh openssl=openssl jq=jq curl=curl strace=strace rsync=rsync sshd=openssh-server ip=iproute2 && scripts/ensure-browser.sh
	-@scripts/ensure-cosign.sh
	-@PYTHON=$(BIN)/python scripts/ensure-validators.sh

test: dev engine images pilot-images tools  ## every test: first those that run side by side, then those with an engine or a browser
	$(BIN)/python -m coverage erase && $(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not engine and not browser" --durations=25 --durations-min=5 $(COVERAGE)
	scripts/test-engine.sh $(BIN)/python
	$(BIN)/python scripts/coverage_gate.py 95 records signing policy

test-podman: dev engine images tools  ## the tests of the engine on Podman, as root and rootless
	scripts/test-podman.sh $(BIN)/python

test-apptainer: dev engine images tools  ## the tests of the engine on Apptainer
	scripts/test-apptainer.sh $(BIN)/python

test-portable: dev  ## what runs without an engine and a browser, on any system
	$(BIN)/python -m pytest -q -n 2 -m "not engine and not browser"

mutants: dev  ## every rule, authority and signature condition switched off in turn: some test must fail each time
	$(BIN)/python scripts/mutants.py

faults: dev engine images tools  ## kills, full and broken disks, engines that die, crowds: about 40 minutes; ARGS="--only run --sample 20"
	$(BIN)/python -m tests.faults $(if $(POINTS),--points $(POINTS)) $(ARGS)

lint: dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/python scripts/make_docs.py --check

check: lint test  ## what CI runs

bench: dev  ## sizes and times, by the generator under benchmarks/
	@for bench in benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python "$$bench" || exit 1; done

docs: dev  ## write the generated pages again, and the documentation as a site into .cache/site-docs; a broken link fails
	$(BIN)/python scripts/make_docs.py
	@$(BIN)/python scripts/build_docs.py

docs-serve: dev  ## the same, served on this machine, built again whenever a page changes
	@$(BIN)/python scripts/build_docs.py --serve

golden: dev  ## write the golden site anew, after a change of what the leaderboard shows
	@$(BIN)/python -m tests.support.golden_site

lock: dev  ## requirements.lock and the example's, by uv
	$(BIN)/python -m pip install -qq uv && UV=$(BIN)/uv scripts/lock.sh
