// Package optim implements optimizers. An optimizer turns the gradient of a loss into updates of the params, as part of the graph.
//
// # Chains
//
// An optimizer is a Chain of transforms. The gradients pass through it from left to right, and the result is subtracted from the params:
//
//	gradient -> mean over micro-batches -> clipping -> Before -> transforms -> times the learning rate -> After -> param minus that
//
// A Transform maps the update of every param to a new one, and may keep states from step to step. SGD, Adam and the
// others are structs that embed a Chain, hold their settings as fields and are the chain's only transform:
//
//	opt := optim.NewAdamW(1e-3)
//	opt.WeightDecay = 0.05
//	opt.ClipNorm = 1
//	opt.Rate = optim.Warmup{Steps: 100, Then: optim.Cosine{Rate: 1e-3, Steps: 900}}
//	opt.Group(optim.Vectors).Decay = 0 // no weight decay on biases and norms
//	opt.After = []optim.Transform{optim.EMA{Decay: 0.999}}
//
// The optimizers: SGD with its momenta, ASGD, Adagrad, Ftrl, Adadelta, RMSprop, Rprop; Adam, AdamW, both with AMSGrad, Adamax, NAdam, RAdam,
// AdaBelief, Adan, Yogi, AdEMAMix, MARS, Adafactor; Lion; LARS, LAMB and NovoGrad for large batches; Muon for matrices; Shampoo and SOAP with a
// matrix for each axis; Sophia and KFAC, which divide by estimates of the curvature; LBFGS, for the gradient of all
// data, and NewtonCG, for large batches, which solves for its step; Prodigy, DAdaptAdam and DAdaptSGD, which find the learning
// rate; ScheduleFreeSGD and ScheduleFreeAdamW. Each says which call of another library it equals.
//
// Transforms of gradients, for Before: Centralize, ClipAdaptive, ClipByNormOf, GradientNoise, Grokfast, SAM. Cautious masks the
// updates of any transform of gradients. Transforms of steps, for After: EMA, SWA,
// Lookahead, ScheduleFree, LineSearch. Only restricts any transform to some params. A transform in the wrong place is an error of Update.
//
// NewChain makes an optimizer of any transforms, ready-made or the user's own. Nothing is computed while a graph is
// built: Update returns assignments for tarn.Compile, and the compiler fuses all arithmetic of a param into one loop.
//
// # States
//
// Moments and other states are tarn.Params. A state is named by its kind and its param, as in "adam.m/hidden.weight". The names of the
// params are those in the tarn.ParamSet that Update receives; Match sees the same names. States belong to
// the optimizer and not to the program: two programs that are built with one optimizer share them. A state exists from the
// first Update that needs it; States lists them for a checkpoint. An Update that fails leaves no states behind.
//
// # Weights for evaluation
//
// EMA, SWA, Lookahead and the schedule-free optimizers keep better weights for evaluation than those being trained, as additional
// states. WithAverages evaluates with them, and TakeAverages stores them in the params at the end of training.
//
// # Settings
//
// An optimizer has a constructor, which takes the learning rate first, fills in the usual numbers and returns a pointer. Transforms and
// schedules that have a constructor work the same way. A type with a constructor does exactly what its fields say: 0 is 0. A type without
// one is used as a literal, in which a field at 0 means the default that its comment names. Constructors accept any number; Update reports
// all invalid settings at once.
//
// Optimizers are used as pointers and never copied: Update refuses a copy.
package optim
