// Package optim has the optimizers: how the gradient of a loss becomes an update of the params, as a part of the graph.
//
// # Chains
//
// An optimizer is a Chain. The gradients go through it from left to right, and what comes out is subtracted:
//
//	gradient -> mean over micro-batches -> clipping -> Before -> transforms -> times the learning rate -> After -> param minus that
//
// A Transform turns the update of every param into another one, and may keep states from step to step. SGD, Adam and the
// others are structs that embed a Chain, hold their numbers as fields and are its only transform:
//
//	opt := optim.NewAdamW(1e-3)
//	opt.WeightDecay = 0.05
//	opt.ClipNorm = 1
//	opt.Rate = optim.Warmup{Steps: 100, Then: optim.Cosine{Rate: 1e-3, Steps: 900}}
//	opt.Group(optim.Vectors).Decay = 0 // no weight decay on biases and norms
//	opt.After = []optim.Transform{optim.EMA{Decay: 0.999}}
//
// The optimizers: SGD with its momenta, Adagrad, Adadelta, RMSprop, Rprop; Adam, AdamW, both with AMSGrad, Adamax, NAdam, RAdam,
// AdaBelief, Adan, Adafactor; Lion; LARS and LAMB for large batches; Muon for matrices; Shampoo and SOAP with a
// matrix for each axis; Sophia and KFAC, which divide by estimates of the curvature; LBFGS, for the gradient of all
// data, and NewtonCG, for large batches, which solves for its step; Prodigy, DAdaptAdam and DAdaptSGD, which find the learning
// rate; ScheduleFreeSGD and ScheduleFreeAdamW. Each says which call of another library it equals.
//
// Transforms of gradients, for Before: Centralize, ClipAdaptive, GradientNoise, SAM. Of steps, for After: EMA, SWA,
// Lookahead, ScheduleFree, LineSearch. Only limits any transform to some params.
//
// NewChain makes an optimizer of any transforms, ready-made or the user's own. Nothing here is computed while a graph is
// built: Update returns assignments for tarn.Compile, and the compiler makes one loop of all the maths of a param.
//
// # States
//
// Moments and other states are tarn.Params named by what they are and whose, as in "adam.m/hidden.weight": the names of the params
// are those of the tarn.ParamSet that Update is given, and so are those that Match sees. States belong to
// the optimizer and not to the program: two programs that are built with one optimizer share them. A state exists from the
// first Update on that needs it; States lists them for a checkpoint.
//
// # Weights for evaluation
//
// EMA, SWA, Lookahead and the schedule-free optimizers keep weights that are better than those being trained, as states
// beside these. WithAverages evaluates with them, and TakeAverages ends a training with them.
//
// # Settings
//
// An optimizer has a constructor, which takes the learning rate first, fills in the usual numbers and returns a pointer. A transform or a
// schedule that has a constructor works alike. What has a constructor does exactly what its fields say: 0 is 0. What has none is a
// literal, in which a field at 0 means the default that its comment names. Constructors take any number; Update reports
// those that make no sense, all at once.
//
// Optimizers are used as pointers and never copied: Update refuses a copy.
package optim
